// The company that the provider knows unless a test says otherwise.
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';

const native = (id) => ({
  client_id: id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token', DEVICE, EXCHANGE],
});

export const OPTIONS = {
  port: 0, // fixed, so that the provider can come back at the same address
  control_port: 0,
  issuer_path: '', // e.g. '/realms/acme': the issuer's name then has a path
  state: null, // folder for keys and grants; without it nothing outlives the process
  clients: [
    native('oam'),
    native('other'),
    {
      client_id: 'hub', client_secret: 'hub-secret', token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [], response_types: [], grant_types: [],
    },
  ],
  accounts: {
    ada: { password: 'ada', email: 'ada@example.com', name: 'Ada', groups: ['ml-research', 'staff'] },
    brian: { password: 'brian', email: 'brian@example.com', name: 'Brian', groups: ['staff'] },
    eve: { password: 'eve', email: 'eve@example.com', name: 'Eve', groups: [] },
  },
  policy: {
    ada: {
      'model-reader': { resources: ['acme/*', 'datasets/acme/*', 'spaces/acme/*'], actions: ['read'] },
      'model-publisher': { resources: ['acme/*', 'datasets/acme/*'], actions: ['read', 'write'] },
      'hub-admin': { resources: ['*'], actions: ['read', 'write', 'manage'] },
    },
    brian: { 'model-reader': { resources: ['acme/*'], actions: ['read'] } },
  },
  id_token_seconds: 3600,
  access_token_seconds: 3600,
  refresh_token_seconds: 14 * 24 * 3600,
  role_token_seconds: 300,
  id_token_at_refresh: true,
  rotation: 'as-it-comes', // or 'always', 'never'
  strict_offline: false, // true: a refresh token only with scope offline_access and prompt=consent
  expires_with_session: false, // true: a sign-out at the provider ends the grants of its session
  device: true,
  device_seconds: 600,
  require_auth_time: true, // false: ID tokens tell `auth_time` only where `max_age` was asked for, as most providers do
  backchannel_logout_uri: null, // where a sign-out at the provider is told to (client `oam`); its ID tokens then carry `sid`
  alg: 'RS256', // of ID tokens
  role_token_format: 'jwt', // or 'opaque': then only introspection tells
  any_redirect_port: true, // false: only the registered redirect URIs, as some providers do
};
