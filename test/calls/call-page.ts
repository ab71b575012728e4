/// <reference lib="dom" />

/** What one end of a call is made of. */
export interface EndOptions {
  /** `turn:127.0.0.1:3478?transport=udp` */
  readonly urls: string;
  readonly username: string;
  readonly credential: string;
  /** `all`: the relay is offered, and not needed. */
  readonly policy: 'relay' | 'all';
  /** Messages over a data channel, a fake camera, or a microphone that is muted. */
  readonly media: 'data' | 'video' | 'muted audio';
}

/** What a browser tells of one end. */
export interface EndStats {
  /** Unix time in ms: between these the numbers were read. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Of all candidate pairs: what was sent and received without checks, in bytes of UDP payload. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Ports of the relayed candidates, also of those that were given up since. */
  readonly relayPorts: readonly number[];
  /** `relay` or `host`: how the pair in use is reached from this end. */
  readonly candidateType: string;
  /** How this end is connected to coturn: `udp`, `tcp`, `tls`; empty when it is not. */
  readonly relayProtocol: string;
}

/** The ends of calls in a page, by a name that the test gives them. */
export interface CallPage {
  open(name: string, options: EndOptions): Promise<void>;
  /** The description that the other end must be given; with that of the other end, an answer. */
  describe(name: string, offer?: string): Promise<string>;
  accept(name: string, answer: string): Promise<void>;
  /** What a network that changed makes it do: the next description has new candidates. */
  restartIce(name: string): Promise<void>;
  state(name: string): string;
  stats(name: string): Promise<EndStats>;
  /** STUN error codes that servers answered with: 401 when a login failed. */
  errors(name: string): readonly number[];
  /** Sends no more messages and no more pictures. */
  hush(name: string): Promise<void>;
  close(name: string): void;
}

declare global {
  var calls: CallPage;
}

/** Installs {@link CallPage}. Runs in the browser: the text of this function is all that is sent. */
export function callPage(): void {
  const MESSAGE_BYTES = 400;
  const MESSAGE_INTERVAL_MS = 20;
  const ends = new Map<string, End>();

  class End {
    readonly connection: RTCPeerConnection;
    readonly errors: number[] = [];
    readonly #relayPorts = new Set<number>();
    readonly #tracks: MediaStreamTrack[] = [];
    #chatter: ReturnType<typeof setInterval> | undefined;

    constructor({ urls, username, credential, policy }: EndOptions) {
      this.connection = new RTCPeerConnection({
        iceServers: [{ urls, username, credential }],
        iceTransportPolicy: policy,
      });
      this.connection.addEventListener('icecandidate', ({ candidate }) => {
        if (candidate?.type === 'relay' && candidate.port !== null) {
          this.#relayPorts.add(candidate.port);
        }
      });
      this.connection.addEventListener('icecandidateerror', ({ errorCode }) => {
        this.errors.push(errorCode);
      });
    }

    async prepare(media: EndOptions['media']): Promise<void> {
      if (media === 'data') {
        const channel = this.connection.createDataChannel('chat', { negotiated: true, id: 0 });
        channel.addEventListener('open', () => {
          const send = () => channel.send(new Uint8Array(MESSAGE_BYTES));
          this.#chatter = setInterval(send, MESSAGE_INTERVAL_MS);
        });
        return;
      }
      const isVideo = media === 'video';
      const stream = await navigator.mediaDevices.getUserMedia(
        isVideo ? { video: { width: 160, height: 120, frameRate: 10 } } : { audio: true },
      );
      for (const track of stream.getTracks()) {
        if (!isVideo) track.enabled = false;
        this.#tracks.push(track);
        this.connection.addTrack(track, stream);
      }
    }

    async describe(offer?: string): Promise<string> {
      if (offer !== undefined) {
        await this.connection.setRemoteDescription({ type: 'offer', sdp: offer });
      }
      await this.connection.setLocalDescription();
      while (this.connection.iceGatheringState !== 'complete') {
        await new Promise((resolve) => {
          this.connection.addEventListener('icegatheringstatechange', resolve, { once: true });
        });
      }
      return this.connection.localDescription?.sdp ?? '';
    }

    async stats(): Promise<EndStats> {
      const fromMs = performance.timeOrigin + performance.now();
      const report = await this.connection.getStats();
      const toMs = performance.timeOrigin + performance.now();
      let sentBytes = 0;
      let receivedBytes = 0;
      let used: RTCIceCandidatePairStats | undefined;
      let selectedId: string | undefined;
      for (const entry of report.values()) {
        if (entry.type === 'transport') selectedId = entry.selectedCandidatePairId;
      }
      for (const entry of report.values()) {
        if (entry.type !== 'candidate-pair') continue;
        sentBytes += entry.bytesSent ?? 0;
        receivedBytes += entry.bytesReceived ?? 0;
        // Firefox marks the pair itself.
        if (entry.id === selectedId || entry.selected === true) used = entry;
      }
      const local = used === undefined ? undefined : report.get(used.localCandidateId);
      return {
        fromMs,
        toMs,
        sentBytes,
        receivedBytes,
        relayPorts: [...this.#relayPorts],
        candidateType: local?.candidateType ?? '',
        relayProtocol: local?.relayProtocol ?? '',
      };
    }

    async hush(): Promise<void> {
      clearInterval(this.#chatter);
      for (const sender of this.connection.getSenders()) await sender.replaceTrack(null);
    }

    close(): void {
      clearInterval(this.#chatter);
      for (const track of this.#tracks) track.stop();
      this.connection.close();
    }
  }

  function endOf(name: string): End {
    const end = ends.get(name);
    if (end === undefined) throw new Error(`No end ${name}`);
    return end;
  }

  globalThis.calls = {
    async open(name, options) {
      const end = new End(options);
      ends.set(name, end);
      await end.prepare(options.media);
    },
    describe: (name, offer) => endOf(name).describe(offer),
    async accept(name, answer) {
      await endOf(name).connection.setRemoteDescription({ type: 'answer', sdp: answer });
    },
    async restartIce(name) {
      endOf(name).connection.restartIce();
    },
    state: (name) => endOf(name).connection.connectionState,
    stats: (name) => endOf(name).stats(),
    errors: (name) => endOf(name).errors,
    hush: (name) => endOf(name).hush(),
    close: (name) => endOf(name).close(),
  };
}
