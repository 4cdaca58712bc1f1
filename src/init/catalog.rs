//! The templates and their files. What begins with a dot in an application has no dot in
//! `templates/`, where it would mean us; a manifest has another name, so that cargo does not take it
//! for one of ours.

/// A template.
#[derive(Debug)]
pub struct Template {
    /// Its name, as `--template` takes it.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Its files.
    pub files: &'static [File],
    /// What has to be run before it can be deployed.
    pub build: Option<&'static str>,
}

/// A file of a template.
#[derive(Debug)]
pub struct File {
    /// Path in the application's folder, with `/`.
    pub path: &'static str,
    /// Its content, a minijinja template whose `name` is the application's.
    pub text: &'static str,
    /// Whether it is a program.
    pub executable: bool,
}

macro_rules! file {
    ($path:literal, $source:literal) => {
        File { path: $path, text: include_str!(concat!("../../templates/", $source)), executable: false }
    };
    ($path:literal, $source:literal, executable) => {
        File { path: $path, text: include_str!(concat!("../../templates/", $source)), executable: true }
    };
}

/// Every template, the one for beginners first.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "python-api",
        summary: "an HTTP API in Python",
        build: None,
        files: &[
            file!("template.yaml", "python-api/template.yaml"),
            file!("README.md", "python-api/README.md"),
            file!("samconfig.toml", "python-api/samconfig.toml"),
            file!(".gitignore", "python-api/gitignore"),
            file!(".samignore", "python-api/samignore"),
            file!("src/app.py", "python-api/src/app.py"),
            file!("tests/__init__.py", "python-api/tests/__init__.py"),
            file!("tests/test_app.py", "python-api/tests/test_app.py"),
            file!("events/event.json", "python-api/events/event.json"),
        ],
    },
    Template {
        name: "node-api",
        summary: "a REST API in JavaScript",
        build: None,
        files: &[
            file!("template.yaml", "node-api/template.yaml"),
            file!("README.md", "node-api/README.md"),
            file!("samconfig.toml", "node-api/samconfig.toml"),
            file!(".gitignore", "node-api/gitignore"),
            file!(".samignore", "node-api/samignore"),
            file!("package.json", "node-api/package.json"),
            file!("src/app.mjs", "node-api/src/app.mjs"),
            file!("tests/app.test.mjs", "node-api/tests/app.test.mjs"),
            file!("events/event.json", "node-api/events/event.json"),
        ],
    },
    Template {
        name: "rust-worker",
        summary: "a worker in Rust, fed by an SQS queue",
        build: Some("cargo build --profile lambda"),
        files: &[
            file!("template.yaml", "rust-worker/template.yaml"),
            file!("README.md", "rust-worker/README.md"),
            file!("samconfig.toml", "rust-worker/samconfig.toml"),
            file!(".gitignore", "rust-worker/gitignore"),
            file!(".samignore", "rust-worker/samignore"),
            file!("Cargo.toml", "rust-worker/Cargo.toml.txt"),
            file!("src/main.rs", "rust-worker/src/main.rs.txt"),
            file!("events/event.json", "rust-worker/events/event.json"),
        ],
    },
    Template {
        name: "custom-runtime-job",
        summary: "a scheduled job in a runtime of its own",
        build: None,
        files: &[
            file!("template.yaml", "custom-runtime-job/template.yaml"),
            file!("README.md", "custom-runtime-job/README.md"),
            file!("samconfig.toml", "custom-runtime-job/samconfig.toml"),
            file!(".gitignore", "custom-runtime-job/gitignore"),
            file!(".samignore", "custom-runtime-job/samignore"),
            file!("job/bootstrap", "custom-runtime-job/job/bootstrap", executable),
            file!("job/job.sh", "custom-runtime-job/job/job.sh"),
            file!("tests/job_test.sh", "custom-runtime-job/tests/job_test.sh", executable),
            file!("events/event.json", "custom-runtime-job/events/event.json"),
        ],
    },
];
