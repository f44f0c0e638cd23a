// What the hub does unless a test says otherwise.
export const OPTIONS = {
  port: 0, // fixed, so that the hub can come back at the same address
  control_port: 0,
  path: '', // below which everything is served, as a registry of many kinds does: '/api/hf'
  issuer: null, // exact `iss` of the tokens that it takes
  jwks: null, // URL of the issuer's keys; default: ISSUER/jwks; 'discovery': the one that the issuer's metadata names
  introspection: null, // { url, client_id, client_secret }: for opaque tokens, and for all when `introspect` is true
  introspect: false,
  audience: null, // what `aud` must be; default: its own URL
  typ: 'at+jwt', // what the token's header must say; null: anything
  leeway_seconds: 0,
  trusted_publishers: [], // { issuer, resource, claims: {name: exact value}, read_only }: served at /oauth/token
  organization: null, // { client_id, client_secret (or a list, while one replaces the other), name, members: [e-mail], seconds }: the exchange for members
  hub_token_seconds: 3600,
  dir: null, // folder of repositories and objects; default: a fresh one that goes with the process
  repositories: [], // made at the start, e.g. ["acme/model", "datasets/acme/data"]
  public: [], // repositories that anybody may read
  www_authenticate: 'Basic realm="hub"',
  lfs_locks: 404, // what the locks API answers: 404, 501 or 200
  lfs_threshold: 1 << 20, // from this size on `hf upload` is told to use LFS
  bytes_per_second: 0, // how fast large objects come and go; 0: as fast as they can
  bearer: true, // false: Basic only, as some git hosts
};
