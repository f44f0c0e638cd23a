// The documented claim sets of CI jobs. Ids are strings, as both services send them.

const now = () => Math.floor(Date.now() / 1000);

/** A workflow run at GitHub. `after_2026` writes the subject with ids, as repositories made since July 2026 have it. */
export function github({
  owner = 'acme', owner_id = '1234', repository = 'model', repository_id = '98765', ref = 'refs/heads/main', event = 'push', actor = 'ada',
  environment, workflow = '.github/workflows/publish.yml', after_2026 = false, claims = {},
} = {}) {
  const name = `${owner}/${repository}`;
  const where = environment ? `environment:${environment}` : event === 'pull_request' ? 'pull_request' : `ref:${ref}`;
  const whose = after_2026 ? `${owner}@${owner_id}/${repository}@${repository_id}` : name;
  const tag = ref.startsWith('refs/tags/');
  return {
    sub: `repo:${whose}:${where}`, nbf: now() - 600,
    repository: name, repository_id, repository_owner: owner, repository_owner_id: owner_id, repository_visibility: 'private',
    ref, ref_type: tag ? 'tag' : 'branch', ref_protected: 'true', base_ref: '', head_ref: '', sha: 'a'.repeat(40),
    event_name: event, actor, actor_id: '4711', ...(environment ? { environment } : {}),
    workflow: 'publish', workflow_ref: `${name}/${workflow}@${ref}`, workflow_sha: 'a'.repeat(40),
    job_workflow_ref: `${name}/${workflow}@${ref}`, job_workflow_sha: 'a'.repeat(40),
    run_id: '5550001', run_number: '12', run_attempt: '1', runner_environment: 'github-hosted', check_run_id: '77',
    ...claims,
  };
}

/** A job at GitLab: `ref` without `refs/heads`, booleans as strings. */
export function gitlab({
  group = 'acme', group_id = '21', project = 'model', project_id = '314', ref = 'main', ref_type = 'branch', ref_protected = 'true', user = 'ada', claims = {},
} = {}) {
  const path = `${group}/${project}`;
  return {
    sub: `project_path:${path}:ref_type:${ref_type}:ref:${ref}`, nbf: now() - 5,
    namespace_id: group_id, namespace_path: group, project_id, project_path: path,
    user_id: '8', user_login: user, user_email: `${user}@example.com`,
    pipeline_id: '900', pipeline_source: 'push', job_id: '901', ref, ref_type, ref_path: `refs/${ref_type === 'tag' ? 'tags' : 'heads'}/${ref}`,
    ref_protected, environment_protected: 'false', runner_id: 1, runner_environment: 'self-hosted', sha: 'b'.repeat(40),
    ...claims,
  };
}
