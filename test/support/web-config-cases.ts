/** A text for `--web.config.file`; `{dir}/` names are relative to the folder of certificates. */
export interface WebConfigCase {
  readonly name: string;
  readonly text: string;
}

const TLS = 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n';

/** Files that the exporter-toolkit takes, and files that it refuses. */
export function webConfigCases(hash: string): readonly WebConfigCase[] {
  const users = `basic_auth_users:\n  alice: ${hash}\n`;
  return [
    { name: 'an empty file', text: '' },
    { name: 'a comment', text: '# nothing yet\n' },
    {
      name: 'empty sections',
      text: 'tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n',
    },
    { name: 'a user', text: users },
    { name: 'two users, with cost 4 and a quoted name', text: `${users}  "b: ob": '${hash}'\n` },
    { name: 'TLS', text: TLS },
    { name: 'TLS and a user', text: TLS + users },
    {
      name: 'YAML in one line',
      text: '{tls_server_config: {cert_file: server.pem, key_file: server.key}}',
    },
    {
      name: 'an anchor and its alias',
      text: `basic_auth_users:\n  alice: &h ${hash}\n  bob: *h\n`,
    },
    {
      name: 'RequireAndVerifyClientCert',
      text: `${TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n`,
    },
    {
      name: 'RequireAndVerifyClientCert and a user',
      text: `${TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n${users}`,
    },
    { name: 'RequireAnyClientCert', text: `${TLS}  client_auth_type: RequireAnyClientCert\n` },
    { name: 'RequestClientCert', text: `${TLS}  client_auth_type: RequestClientCert\n` },
    {
      name: 'VerifyClientCertIfGiven',
      text: `${TLS}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n`,
    },
    { name: 'NoClientCert', text: `${TLS}  client_auth_type: NoClientCert\n` },
    { name: 'TLS 1.3 only', text: `${TLS}  min_version: TLS13\n` },
    { name: 'TLS 1.2 only', text: `${TLS}  max_version: TLS12\n` },
    { name: 'TLS 1.0 and later', text: `${TLS}  min_version: TLS10\n` },
    { name: 'TLS 1.1 and later', text: `${TLS}  min_version: TLS11\n` },
    {
      name: 'some ciphers',
      text: `${TLS}  cipher_suites:\n  - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n`,
    },
    {
      name: 'a cipher of TLS 1.2 that the key cannot do',
      text: `${TLS}  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n`,
    },
    { name: 'curves', text: `${TLS}  curve_preferences: [CurveP256, X25519]\n` },
    { name: 'no HTTP/2', text: `${TLS}http_server_config:\n  http2: false\n` },
    { name: "YAML 1.1's no", text: `${TLS}  prefer_server_cipher_suites: no\n` },
    {
      name: 'headers',
      text: 'http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=1\n',
    },
    { name: 'an unknown section', text: 'tls_config:\n  cert_file: server.pem\n' },
    { name: 'an unknown key', text: `${TLS}  cert_fil: server.pem\n` },
    { name: 'a repeated key', text: `${TLS}  cert_file: server.pem\n` },
    { name: 'no key', text: 'tls_server_config:\n  cert_file: server.pem\n' },
    { name: 'no certificate', text: 'tls_server_config:\n  key_file: server.key\n' },
    { name: 'a certificate that is not there', text: TLS.replace('server.pem', 'nothing.pem') },
    { name: 'a key of another certificate', text: TLS.replace('server.key', 'client.key') },
    { name: 'a key that is none', text: TLS.replace('server.key', 'server.pem') },
    { name: 'an unknown cipher', text: `${TLS}  cipher_suites: [TLS_ENIGMA]\n` },
    { name: 'an unknown curve', text: `${TLS}  curve_preferences: [P-256]\n` },
    { name: 'an unknown version', text: `${TLS}  min_version: TLS1.2\n` },
    { name: 'an authority without a rule', text: `${TLS}  client_ca_file: ca.pem\n` },
    { name: 'an unknown rule', text: `${TLS}  client_auth_type: RequireFriend\n` },
    {
      name: 'an authority that is not there',
      text: `${TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: no.pem\n`,
    },
    { name: 'a password that is no hash', text: 'basic_auth_users:\n  alice: secret\n' },
    { name: 'a hash that is cut', text: `basic_auth_users:\n  alice: ${hash.slice(0, 40)}\n` },
    {
      name: 'a header that may not be set',
      text: 'http_server_config:\n  headers:\n    Server: a\n',
    },
    {
      name: 'a header with an unknown value',
      text: 'http_server_config:\n  headers:\n    X-Frame-Options: maybe\n',
    },
    {
      name: 'HTTP/2 without its cipher',
      text: `${TLS}  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\n`,
    },
    { name: 'a word', text: 'hello\n' },
    { name: 'a list', text: '- tls_server_config\n' },
    { name: 'no YAML', text: 'tls_server_config: [\n' },
    { name: 'a switch that is no boolean', text: 'http_server_config:\n  http2: maybe\n' },
    { name: 'a list where a text belongs', text: 'tls_server_config:\n  cert_file: [a]\n' },
    {
      name: 'a text where a list belongs',
      text: `${TLS}  cipher_suites: TLS_AES_128_GCM_SHA256\n`,
    },
  ];
}
