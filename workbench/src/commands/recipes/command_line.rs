//! curl, on Linux, macOS and Windows, and a CI that calls it.

use super::Call;

pub fn curl(call: &Call<'_>) -> String {
    let Call { base, magic, identifier, slug, .. } = call;
    let (url, file) = (call.url(), format!("{slug}.curl"));
    format!(
        "# {} ({})\n\
         # curl ends with 0 whenever an answer came, also 404, 409 or 500; with\n\
         # --fail-with-body (curl 7.76 or newer) it ends with 22 from status 400 on.\n\
         \n\
         # The keys in the path. Other users of that machine see them while curl runs.\n\
         curl -X POST '{url}'\n\
         \n\
         # The keys in headers: no web server writes them to its log.\n\
         curl -X POST -H 'X-Magic-Key: {magic}' -H 'X-Task-Key: {identifier}' '{base}/'\n\
         \n\
         # No key among the arguments: make this file once; then the last line will do.\n\
         (umask 077; cat >{file}) <<'END'\n\
         url = \"{base}/\"\n\
         request = \"POST\"\n\
         header = \"X-Magic-Key: {magic}\"\n\
         header = \"X-Task-Key: {identifier}\"\n\
         END\n\
         curl -K {file}\n\
         \n\
         # On Windows, in cmd.exe or PowerShell; single quotes would reach curl there.\n\
         curl.exe -X POST -H \"X-Magic-Key: {magic}\" -H \"X-Task-Key: {identifier}\" \"{base}/\"\n",
        call.shown, call.id
    )
}

pub fn ci(call: &Call<'_>) -> String {
    let Call { base, magic, identifier, patience, .. } = call;
    format!(
        "# Two secrets of the project (GitHub: Settings, Secrets and variables, Actions;\n\
         # GitLab: Settings, CI/CD, Variables, masked):\n\
         #   REMOTETASK_MAGIC_KEY  {magic}\n\
         #   REMOTETASK_TASK_KEY   {identifier}\n\
         \n\
         # A step of GitHub Actions. The lines behind run: are for any other CI, too.\n\
         - name: {}\n\
         \x20 env:\n\
         \x20   REMOTETASK_MAGIC_KEY: ${{{{ secrets.REMOTETASK_MAGIC_KEY }}}}\n\
         \x20   REMOTETASK_TASK_KEY: ${{{{ secrets.REMOTETASK_TASK_KEY }}}}\n\
         \x20 run: |\n\
         \x20   printf 'header = \"X-Magic-Key: %s\"\\nheader = \"X-Task-Key: %s\"\\n' \\\n\
         \x20     \"$REMOTETASK_MAGIC_KEY\" \"$REMOTETASK_TASK_KEY\" |\n\
         \x20     curl --fail-with-body --silent --show-error --max-time {patience} \\\n\
         \x20       -X POST --config - '{base}/'\n",
        super::in_quotes(call.shown)
    )
}
