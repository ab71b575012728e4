import { connect } from 'node:net';

/** RFC 8489 §5: type Binding request, length 0, magic cookie, a fixed transaction id. */
const BINDING_REQUEST = Buffer.from('000100002112a442636f7475726e2d6578706f72', 'hex');
const TIMEOUT_MS = 1_000;

/** Bytes of the request that `bindOverTcp` sends. */
export const BINDING_REQUEST_BYTES: number = BINDING_REQUEST.length;

/**
 * Sends one STUN binding request over TCP, waits for the answer and closes the connection.
 * Resolves to the bytes of the answer; rejects when nobody listens or answers within a second.
 */
export function bindOverTcp(server: {
  readonly address: string;
  readonly port: number;
}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port });
    let answerBytes = 0;
    let failure = new Error('Closed without a STUN answer');
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('No STUN answer')));
    socket.once('connect', () => socket.write(BINDING_REQUEST));
    socket.once('data', (answer) => {
      answerBytes = answer.length;
      socket.end();
    });
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('close', () => {
      // coturn answers our FIN with a reset: no failure once the answer is here.
      if (answerBytes > 0) resolve(answerBytes);
      else reject(failure);
    });
  });
}
