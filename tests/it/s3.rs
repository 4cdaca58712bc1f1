//! The S3 client against two endpoints that know nothing of each other: the sandbox and moto. Then the
//! managed bucket and an upload, with the built binary against moto.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use samara::aws::s3::multipart::PutFile;
use samara::aws::s3::{Body, Condition, ETag, Encryption, PutObject, S3, Sha256};
use samara::aws::{Aws, ErrorKind, Settings};
use samara::sandbox::server;

use crate::support::{Project, python};

const REGION: &str = "eu-central-1";

async fn connect(endpoint_url: &str, access_key: &str) -> Aws {
    let settings = Settings {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(endpoint_url.to_owned()),
        static_credentials: Some((access_key.to_owned(), "secret".to_owned())),
        ..Settings::default()
    };
    Aws::connect(&settings).await.expect("a configuration")
}

/// A versioned bucket, made by the SDK itself: samara makes buckets by stacks only.
async fn make_bucket(endpoint_url: &str, access_key: &str, bucket: &str) {
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_s3::types::{
        BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
    };
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint_url)
        .credentials_provider(Credentials::new(access_key, "secret", None, None, "test"))
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuCentral1).build();
    client.create_bucket().bucket(bucket).create_bucket_configuration(place).send().await.expect("a bucket");
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(bucket).versioning_configuration(versions).send().await.expect("versions");
}

fn put(bucket: &str, key: &str, text: &str, condition: Condition) -> PutObject {
    let body = Body::Bytes(text.as_bytes().to_vec());
    PutObject { condition, retries: false, ..PutObject::new(bucket, key, body) }
}

/// What the journal's lock and fence and the artifacts stand on.
async fn writes_hold_their_conditions(s3: &S3, bucket: &str) {
    let key = "rollouts/f/live/current.json";
    assert_eq!(s3.head(bucket, key).await.expect("an answer"), None);
    assert_eq!(s3.get(bucket, key).await.expect_err("nothing").kind, ErrorKind::NotFound);

    let first = s3.put(put(bucket, key, "one", Condition::IfAbsent)).await.expect("the lock");
    let second = s3.put(put(bucket, key, "two", Condition::IfAbsent)).await.expect_err("it is taken");
    assert_eq!(second.kind, ErrorKind::PreconditionFailed);
    assert_eq!(second.operation, "PutObject");

    let next = s3.put(put(bucket, key, "three", Condition::IfMatch(first.etag.clone()))).await.expect("the fence");
    let stale = s3.put(put(bucket, key, "four", Condition::IfMatch(first.etag.clone()))).await.expect_err("stale");
    assert_eq!(stale.kind, ErrorKind::PreconditionFailed);
    assert_ne!(first.version_id, next.version_id);

    let object = s3.get(bucket, key).await.expect("the object");
    assert_eq!((object.bytes.as_slice(), &object.etag), (&b"three"[..], &next.etag));
    let age = object.answered_at.expect("a date") - object.last_modified.expect("a date");
    assert!(age.whole_seconds().abs() < 60, "{age}");
    let head = s3.head(bucket, key).await.expect("an answer").expect("the object");
    assert_eq!(head.sha256_base64, Some(Sha256::of(b"three").base64()));
    assert_eq!(head.size_bytes, 5);

    let none = s3.put(put(bucket, "none", "x", Condition::IfMatch(next.etag.clone()))).await.expect_err("nothing");
    assert!(matches!(none.kind, ErrorKind::NotFound | ErrorKind::PreconditionFailed), "{none}");
}

async fn copies_lists_and_deletes(s3: &S3, bucket: &str) {
    let from = "a b/ü+%.json";
    let tag = s3.put(put(bucket, from, "x", Condition::None)).await.expect("an object").etag;
    s3.copy(bucket, from, "history/1.json", Some(&tag)).await.expect("a copy");
    assert_eq!(s3.get(bucket, "history/1.json").await.expect("the copy").bytes, b"x");
    for index in 0..5 {
        s3.put(put(bucket, &format!("many/{index}"), "x", Condition::None)).await.expect("an object");
    }
    let keys: Vec<_> = s3.list(bucket, "many/").await.expect("a listing").into_iter().map(|item| item.key).collect();
    assert_eq!(keys, ["many/0", "many/1", "many/2", "many/3", "many/4"]);

    s3.delete(bucket, "many/0", Condition::None).await.expect("deleted");
    s3.delete(bucket, "many/0", Condition::None).await.expect("deleted already");
    assert_eq!(s3.head(bucket, "many/0").await.expect("an answer"), None);
    // A marker is nothing: the key is free again.
    s3.put(put(bucket, "many/0", "y", Condition::IfAbsent)).await.expect("free again");
}

async fn uploads_in_parts_are_whole(s3: &S3, bucket: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let content: Vec<u8> = (0..(16 << 20) + 1234_u32).map(|index| (index / 999 % 251) as u8).collect();
    std::fs::write(file.path(), &content).expect("written");
    let upload = PutFile {
        bucket: bucket.to_owned(),
        key: "big".to_owned(),
        path: file.path().to_owned(),
        condition: Condition::IfAbsent,
        encryption: Encryption::BucketDefault,
        metadata: vec![("samara-sha256".to_owned(), Sha256::of(&content).base64())],
    };
    s3.put_in_parts(upload.clone()).await.expect("an upload");
    let head = s3.head(bucket, "big").await.expect("an answer").expect("the object");
    assert_eq!(head.size_bytes, content.len() as u64);
    assert_eq!(head.metadata, upload.metadata);
    let too_large = s3.get(bucket, "big").await.expect_err("more than is read into memory");
    assert!(too_large.message.contains("larger than 16 MiB"), "{too_large}");
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn the_sandbox_holds_every_condition_and_knows_the_owner() {
    let dir = tempfile::tempdir().expect("a folder");
    block_on(async {
        let options = server::Options { dir: dir.path().to_owned(), port: 0, speed: 1.0 };
        let sandbox = server::start(options).await.expect("a sandbox");
        let url = sandbox.endpoint_url();
        make_bucket(&url, "000000000000", "mine").await;
        let s3 = connect(&url, "000000000000").await.s3();
        writes_hold_their_conditions(&s3, "mine").await;
        copies_lists_and_deletes(&s3, "mine").await;
        uploads_in_parts_are_whole(&s3, "mine").await;
        // moto copies whatever the source is.
        let other = ETag("\"00000000000000000000000000000000\"".to_owned());
        let refused = s3.copy("mine", "history/1.json", "history/2.json", Some(&other)).await.expect_err("another");
        assert_eq!(refused.kind, ErrorKind::PreconditionFailed);

        let tag = s3.put(put("mine", "fenced", "x", Condition::None)).await.expect("an object").etag;
        let other = Condition::IfMatch(ETag("\"0\"".to_owned()));
        assert_eq!(s3.delete("mine", "fenced", other).await.expect_err("stale").kind, ErrorKind::PreconditionFailed);
        s3.delete("mine", "fenced", Condition::IfMatch(tag)).await.expect("deleted");

        // The same name in other hands: neither read nor written.
        make_bucket(&url, "111111111111", "theirs").await;
        assert_eq!(s3.head("theirs", "x").await.expect_err("not ours").kind, ErrorKind::AccessDenied);
        let refused = s3.put(put("theirs", "x", "x", Condition::None)).await.expect_err("not ours");
        assert_eq!(refused.kind, ErrorKind::AccessDenied);
        sandbox.stop().await.expect("it stops");
    });
}

/// A moto server at `localhost`, ended when this is dropped.
struct Moto {
    process: Child,
    url: String,
}

impl Moto {
    fn start() -> Option<Self> {
        let program = python::program("moto_server")?;
        let port = TcpListener::bind(("localhost", 0)).expect("a port").local_addr().expect("an address").port();
        let process = Command::new(program)
            .args(["-H", "localhost", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let moto = Self { process, url: format!("http://localhost:{port}") };
        for _ in 0..300 {
            if std::net::TcpStream::connect(("localhost", port)).is_ok() {
                return Some(moto);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("moto does not listen");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn moto_holds_every_condition() {
    let Some(moto) = Moto::start() else { return };
    block_on(async {
        make_bucket(&moto.url, "x", "mine").await;
        let s3 = connect(&moto.url, "x").await.s3();
        writes_hold_their_conditions(&s3, "mine").await;
        copies_lists_and_deletes(&s3, "mine").await;
        uploads_in_parts_are_whole(&s3, "mine").await;
    });
}

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: src}
";

fn package(project: &Project, url: &str, args: &[&str]) -> serde_json::Value {
    project
        .samara(["package", "--output", "json", "--output-template-file", "packaged.yaml"])
        .args(args)
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "y")
        .run()
        .expect(0)
        .json()
}

/// The whole way: bucket, upload, nothing the second time, again when the code changed.
fn what_is_there_is_not_uploaded_again(url: &str) {
    let project = Project::with_template(TEMPLATE);
    project.write("src/app.py", "x");
    let outcome = |result: &serde_json::Value| result["artifacts"][0]["outcome"].as_str().expect("text").to_owned();
    let first = package(&project, url, &[]);
    assert_eq!(outcome(&first), "uploaded");
    let bucket = first["artifacts"][0]["bucket"].as_str().expect("a bucket");
    let key = first["artifacts"][0]["key"].as_str().expect("a key");
    let template = project.read("packaged.yaml");
    assert!(template.contains(bucket) && template.contains(key), "{template}");
    let second = package(&project, url, &[]);
    assert_eq!(outcome(&second), "present");
    for same in ["bucket", "key", "version_id", "sha256_base64"] {
        assert_eq!(first["artifacts"][0][same], second["artifacts"][0][same], "{same}");
    }
    assert_eq!(project.read("packaged.yaml"), template);
    assert_eq!(outcome(&package(&project, url, &["--force-upload"])), "uploaded");
    project.write("src/app.py", "y");
    let changed = package(&project, url, &[]);
    assert_eq!(
        (outcome(&changed).as_str(), &changed["artifacts"][0]["bucket"]),
        ("uploaded", &first["artifacts"][0]["bucket"])
    );

    // Somebody with the right to write puts something else under the artifact's name.
    let key = changed["artifacts"][0]["key"].as_str().expect("a key").to_owned();
    block_on(async {
        let s3 = connect(url, "x").await.s3();
        s3.put(put(bucket, &key, "evil", Condition::None)).await.expect("replaced");
    });
    let refused = project
        .samara(["package"])
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "y")
        .run()
        .expect(1);
    refused.says("is not what was uploaded there").says("--force-upload");
}

#[test]
fn moto_gets_the_managed_bucket_and_each_artifact_once() {
    let Some(moto) = Moto::start() else { return };
    what_is_there_is_not_uploaded_again(&moto.url);
}

#[test]
fn a_stack_of_that_name_that_is_not_ours_is_never_adopted() {
    let Some(moto) = Moto::start() else { return };
    let Some(python) = python::interpreter() else { return };
    let script = "\
import boto3, sys
boto3.client('cloudformation', endpoint_url=sys.argv[1], region_name='eu-central-1', aws_access_key_id='x',
    aws_secret_access_key='y').create_stack(StackName='samara-managed-bucket', TemplateBody='''
Resources: {Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: squatted}}}
Outputs: {BucketName: {Value: squatted}}
''')";
    let made = Command::new(python).args(["-c", script, &moto.url]).output().expect("python runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let project = Project::with_template(TEMPLATE);
    project.write("src/app.py", "x");
    let refused = project
        .samara(["package", "--output-template-file", "packaged.yaml"])
        .env("AWS_ENDPOINT_URL", &moto.url)
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "y")
        .run()
        .expect(1);
    refused.says("was not made by samara").says("--s3-bucket");
    assert!(!Path::new(&project.path("packaged.yaml")).exists());
}

#[test]
fn a_page_instead_of_an_answer_is_said_to_be_one() {
    use std::io::{Read, Write};
    let listener = TcpListener::bind(("localhost", 0)).expect("a port");
    let url = format!("http://localhost:{}", listener.local_addr().expect("an address").port());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let page = "<html>Please log in</html>";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    let project = Project::with_template(TEMPLATE);
    project.write("src/app.py", "x");
    let refused = project
        .samara(["package", "--s3-bucket", "b"])
        .env("AWS_ENDPOINT_URL", &url)
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "y")
        .run()
        .expect(1);
    refused.says("proxy or captive portal");
}
