//! Any bytes are a template or a list of findings, and every template is transformed or refused:
//! no panic, no endless loop.

#![no_main]

use libfuzzer_sys::fuzz_target;
use samara::template::{read, write};
use samara::transform::{self, DeploymentPreference, Options};

fuzz_target!(|bytes: &[u8]| {
    let Ok((mut template, _)) = read::decode("template.yaml", bytes).and_then(read::read_leniently) else {
        return;
    };
    for deployment_preference in [DeploymentPreference::AsWritten, DeploymentPreference::Disabled] {
        let options = Options {
            region: "eu-central-1".to_owned(),
            deployment_preference,
            now_s: Some(0),
            ..Options::default()
        };
        if let Ok(transformed) = transform::transform(&template, &options) {
            // What comes out is JSON that can be read again.
            let json = write::json(&transformed.template);
            assert!(read::read_bytes("transformed.json", json.as_bytes()).is_ok() || json.len() > read::MAX_BYTES);
        }
        transform::placeholder::put(&mut template.root);
    }
});
