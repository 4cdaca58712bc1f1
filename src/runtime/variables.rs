//! What a function finds in its environment: Lambda's own variables and the function's, nothing of ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::function::Function;
use super::host::{Family, Host, Interpreter, is_executable};
use super::process::Launch;

/// Where one process of the function lives.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) api: String,
    pub(super) tmp: &'a Path,
    pub(super) log_stream: &'a str,
}

/// The command of a function and what to say about it; or why it cannot be run here.
pub(super) async fn launch(
    host: &Host,
    function: &Function,
    place: &Place<'_>,
) -> Result<(Launch, Option<String>), String> {
    let family = Family::of(&function.runtime).ok_or_else(|| {
        format!("samara cannot run {} on this machine; it runs provided.*, python3.* and nodejs*.x", function.runtime)
    })?;
    let (program, arguments, interpreter) = match family {
        Family::Provided => (bootstrap(function)?, Vec::new(), None),
        Family::Python(_) => {
            let found = host.interpreter(family).await?;
            (found.program.clone(), vec![host.runtime_dir().join("python.py").into_os_string()], Some(found))
        }
        Family::Node(_) => {
            let found = host.interpreter(family).await?;
            // As Lambda does: the heap may fill what the function has, less the runtime's own share.
            let heap = format!("--max-old-space-size={}", function.memory_mb * 9 / 10);
            let script = host.runtime_dir().join("node.cjs").into_os_string();
            (found.program.clone(), vec![heap.into(), script], Some(found))
        }
    };
    let variables = variables(host, function, family, interpreter.as_ref(), place);
    let launch = match variables.get("AWS_LAMBDA_EXEC_WRAPPER").filter(|wrapper| !wrapper.is_empty()) {
        None => Launch { program, arguments, variables: pairs(&variables), folder: function.task_root.clone() },
        Some(wrapper) => {
            // Through the shell, so that a wrapper that is not there ends with status 127, as on Lambda.
            let mut all: Vec<OsString> = vec!["-c".into(), r#"exec "$0" "$@""#.into()];
            all.push(host_path(function, wrapper).into_os_string());
            all.push(program.into_os_string());
            all.extend(arguments);
            let folder = function.task_root.clone();
            Launch { program: "/bin/sh".into(), arguments: all, variables: pairs(&variables), folder }
        }
    };
    Ok((launch, interpreter.and_then(|found| found.note)))
}

fn pairs(variables: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// The function's own executable: in the code, else in a layer.
fn bootstrap(function: &Function) -> Result<PathBuf, String> {
    let mut places = vec![function.task_root.join("bootstrap")];
    places.extend(function.opt().map(|opt| opt.join("bootstrap")));
    match places.iter().find(|file| file.is_file()) {
        Some(file) if is_executable(file) => Ok(file.clone()),
        Some(file) => {
            let inside = if file.starts_with(&function.task_root) { "/var/task" } else { "/opt" };
            Err(format!("fork/exec {inside}/bootstrap: permission denied (the file's executable bit is not set)"))
        }
        None => Err("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned()),
    }
}

/// Lambda's path of a file as it is here.
fn host_path(function: &Function, path: &str) -> PathBuf {
    let inside = |prefix: &str| path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
    if let (Some(rest), Some(opt)) = (inside("/opt"), function.opt()) {
        return opt.join(rest);
    }
    inside("/var/task").map_or_else(|| PathBuf::from(path), |rest| function.task_root.join(rest))
}

fn variables(
    host: &Host,
    function: &Function,
    family: Family,
    interpreter: Option<&Interpreter>,
    place: &Place<'_>,
) -> BTreeMap<String, String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let task = text(&function.task_root);
    let opt = function.opt().map(text);
    let below_opt = |rest: &str| opt.as_deref().map(|opt| format!("{opt}/{rest}"));
    let runtime_dir = text(host.runtime_dir());

    let mut search: Vec<String> = interpreter.and_then(|found| found.program.parent()).map(text).into_iter().collect();
    search.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(str::to_owned));
    search.extend(below_opt("bin"));
    let mut libraries = vec![task.clone(), format!("{task}/lib")];
    libraries.extend(below_opt("lib"));

    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        all.insert(name.to_owned(), value.to_owned());
    };
    // What the function may set otherwise.
    set("LANG", "en_US.UTF-8");
    set("TZ", ":UTC");
    set("PATH", &search.join(":"));
    set("LD_LIBRARY_PATH", &libraries.join(":"));
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
    // Lambda has one /tmp an environment; here it has a name of its own.
    set("TMPDIR", &text(place.tmp));
    set("HOME", &text(place.tmp));
    if let Some(endpoint) = &function.endpoint_url {
        set("AWS_ENDPOINT_URL", endpoint);
    }
    match family {
        Family::Provided => {}
        Family::Python(_) => {
            set("LC_CTYPE", "C.UTF-8");
            set("PYTHONPATH", &runtime_dir);
        }
        Family::Node(major) => {
            let mut folders: Vec<String> =
                [format!("nodejs/node{major}/node_modules"), "nodejs/node_modules".to_owned()]
                    .iter()
                    .filter_map(|rest| below_opt(rest))
                    .collect();
            folders.extend([format!("{runtime_dir}/node_modules"), runtime_dir.clone(), task.clone()]);
            set("NODE_PATH", &folders.join(":"));
        }
    }
    for (name, value) in &function.variables {
        set(name, value);
    }
    // What it may not.
    set("AWS_LAMBDA_RUNTIME_API", &place.api);
    set("AWS_LAMBDA_FUNCTION_NAME", &function.name);
    set("AWS_LAMBDA_FUNCTION_VERSION", &function.version);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &function.memory_mb.to_string());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", function.initialization_type());
    set("AWS_LAMBDA_LOG_GROUP_NAME", &function.log_group);
    set("AWS_LAMBDA_LOG_STREAM_NAME", place.log_stream);
    set("AWS_REGION", &function.region);
    set("AWS_DEFAULT_REGION", &function.region);
    set("AWS_ACCESS_KEY_ID", &function.credentials.access_key_id);
    set("AWS_SECRET_ACCESS_KEY", &function.credentials.secret_access_key);
    set("AWS_SESSION_TOKEN", &function.credentials.session_token);
    set("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000");
    set("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1");
    set("_AWS_XRAY_DAEMON_PORT", "2000");
    set("LAMBDA_TASK_ROOT", &task);
    set("LAMBDA_RUNTIME_DIR", &runtime_dir);
    set("_HANDLER", &function.handler);
    if function.json_logs {
        set("AWS_LAMBDA_LOG_FORMAT", "JSON");
        set("AWS_LAMBDA_LOG_LEVEL", function.log_level.as_deref().unwrap_or("INFO"));
    }
    if !matches!(family, Family::Provided) {
        set("AWS_EXECUTION_ENV", &format!("AWS_Lambda_{}", function.runtime));
        set("PWD", &task);
        set("SHLVL", "0");
    }
    if let (Family::Python(_), Some(opt)) = (family, &opt) {
        // Taken out again by our bootstrap, which puts the layers on `sys.path`.
        set("_SAMARA_OPT", opt);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(runtime: &str) -> Function {
        Function {
            name: "f".to_owned(),
            version: "$LATEST".to_owned(),
            runtime: runtime.to_owned(),
            handler: "app.handler".to_owned(),
            provisioned: false,
            timeout: std::time::Duration::from_secs(3),
            memory_mb: 128,
            task_root: "/code".into(),
            layers_root: Some("/layers".into()),
            variables: [("TABLE", "t"), ("TZ", "Europe/Berlin"), ("AWS_REGION", "mine")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            region: "eu-central-1".to_owned(),
            credentials: super::super::Credentials::default(),
            endpoint_url: None,
            log_group: "/aws/lambda/f".to_owned(),
            json_logs: false,
            log_level: None,
        }
    }

    #[test]
    fn a_provided_function_sees_lambdas_variables_and_its_own_and_cannot_change_the_reserved_ones() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::open(dir.path()).unwrap();
        let place = Place { api: "127.0.0.1:9001".to_owned(), tmp: Path::new("/tmp/x"), log_stream: "stream" };
        let seen = variables(&host, &function("provided.al2023"), Family::Provided, None, &place);
        let names: Vec<&str> = seen.keys().map(String::as_str).collect();
        insta::assert_snapshot!(names.join(" "), @"AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_LAMBDA_RUNTIME_API AWS_REGION AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_XRAY_CONTEXT_MISSING AWS_XRAY_DAEMON_ADDRESS HOME LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT LANG LD_LIBRARY_PATH PATH TABLE TMPDIR TZ _AWS_XRAY_DAEMON_ADDRESS _AWS_XRAY_DAEMON_PORT _HANDLER");
        assert_eq!((seen["TZ"].as_str(), seen["AWS_REGION"].as_str()), ("Europe/Berlin", "eu-central-1"));
        assert_eq!(seen["PATH"], "/usr/local/bin:/usr/bin:/bin:/layers/bin");
        assert_eq!(seen["LD_LIBRARY_PATH"], "/code:/code/lib:/layers/lib");
    }

    #[test]
    fn lambdas_paths_are_found_here() {
        let function = function("python3.13");
        assert_eq!(host_path(&function, "/opt/wrapper"), Path::new("/layers/wrapper"));
        assert_eq!(host_path(&function, "/var/task/bin/wrapper"), Path::new("/code/bin/wrapper"));
        assert_eq!(host_path(&function, "/optional"), Path::new("/optional"));
    }
}
