//! Multipart uploads.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::checksum::{self, Algorithm, Checksum, Hasher};
use super::condition::WriteCondition;
use super::object::{
    attributes, copy_source, encryption_headers, new_version_id, requested_algorithm, version_header, write_checksum,
};
use super::store::{self, Bucket, Part, Upload, Version};
use super::{Answer, Call, Fault, Inner, http_hex, iso_time, xml_answer};
use crate::sandbox::http::Response;
use crate::sandbox::xml;

/// Every part but the last has at least this size.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
const MAX_PART_NUMBER: u32 = 10_000;

impl Inner {
    pub(super) fn create_upload(&self, call: &Call<'_>) -> Answer {
        let algorithm = requested_algorithm(call)?;
        let full_object = match (call.header("x-amz-checksum-type"), algorithm) {
            (Some("FULL_OBJECT"), Some(Algorithm::Sha256)) => {
                return Err(Fault::new(
                    400,
                    "InvalidRequest",
                    "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm.",
                ));
            }
            (Some("COMPOSITE"), Some(Algorithm::Crc64Nvme)) => {
                return Err(Fault::new(
                    400,
                    "InvalidRequest",
                    "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
                ));
            }
            (Some("FULL_OBJECT"), _) | (None, None | Some(Algorithm::Crc64Nvme)) => true,
            _ => false,
        };
        let (attributes, id) = self.change_bucket(call, |bucket, seq| {
            let attributes = attributes(call, bucket)?;
            let id = store::new_file();
            bucket.add_upload(Upload {
                id: id.clone(),
                key: call.key.clone(),
                seq,
                started_ms: call.now_ms,
                attributes: attributes.clone(),
                algorithm,
                full_object,
                parts: Default::default(),
            })?;
            Ok((attributes, id))
        })?;
        let mut response = xml_answer("InitiateMultipartUploadResult", |result| {
            result.text("Bucket", &call.bucket).text("Key", &call.key).text("UploadId", id);
        })?;
        if let Some(algorithm) = algorithm {
            response = response
                .header("x-amz-checksum-algorithm", algorithm.name())
                .header("x-amz-checksum-type", if full_object { "FULL_OBJECT" } else { "COMPOSITE" });
        }
        Ok(encryption_headers(response, &attributes))
    }

    pub(super) fn upload_part(&self, call: &Call<'_>) -> Answer {
        let id = call.query("uploadId").unwrap_or_default();
        let text = call.query("partNumber").unwrap_or_default();
        let number: Option<u32> = text.parse().ok().filter(|number| (1..=MAX_PART_NUMBER).contains(number));
        let number = number.ok_or_else(|| {
            Fault::invalid_argument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive")
        })?;
        let (wanted, upload_attributes) = self.with_bucket(call, |bucket| {
            let upload = find(bucket, call, id)?;
            Ok((upload.algorithm, upload.attributes.clone()))
        })?;
        let is_copy = call.header("x-amz-copy-source").is_some();
        let content = if is_copy { self.part_from_object(call)? } else { call.request.body.to_vec() };
        let checksum = if is_copy {
            checksum::compute(wanted.unwrap_or(Algorithm::Crc64Nvme), &content)
        } else {
            checksum::verify(&call.request.headers, &content, wanted)?
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != checksum.algorithm) {
            let text = format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                wanted.name().to_lowercase(),
                checksum.algorithm.name().to_lowercase()
            );
            return Err(Fault::new(400, "InvalidRequest", text));
        }
        let etag = http_hex(&Md5::digest(&content));
        let file = self.write_content(&call.bucket, &content)?;
        let part = Part {
            number,
            file: file.clone(),
            size: content.len() as u64,
            etag: etag.clone(),
            modified_ms: call.now_ms,
            checksum: Some(checksum.clone()),
        };
        let stored = self.change_bucket(call, |bucket, _| {
            find(bucket, call, id)?;
            Ok(bucket.add_part(id, part)?)
        });
        stored.inspect_err(|_| self.discard(&call.bucket, &file))?;
        let response = if is_copy {
            xml_answer("CopyPartResult", |result| {
                result.text("ETag", format!("\"{etag}\"")).text("LastModified", iso_time(call.now_ms));
            })?
        } else {
            Response::new(200)
                .header("etag", &format!("\"{etag}\""))
                .header(checksum.algorithm.header(), &checksum.value)
        };
        Ok(encryption_headers(response, &upload_attributes))
    }

    fn part_from_object(&self, call: &Call<'_>) -> Result<Vec<u8>, Fault> {
        let (bucket, key, id) = copy_source(call)?;
        let (_, _, mut content) = self.read_source(call, &bucket, &key, id.as_deref())?;
        let Some(text) = call.header("x-amz-copy-source-range") else { return Ok(content) };
        let range = text
            .strip_prefix("bytes=")
            .and_then(|range| range.split_once('-'))
            .and_then(|(first, last)| Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?)))
            .filter(|(first, last)| first <= last);
        let argument = |message: &str| Fault::invalid_argument("x-amz-copy-source-range", text, message);
        let Some((first, last)) = range else {
            return Err(argument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
            ));
        };
        if first >= content.len() {
            return Err(Fault::new(
                400,
                "InvalidRequest",
                "The specified copy range is invalid for the source object size",
            ));
        }
        if last >= content.len() {
            return Err(argument(&format!(
                "Range specified is not valid for source object of size: {}",
                content.len()
            )));
        }
        content.truncate(last + 1);
        Ok(content.split_off(first))
    }

    pub(super) fn list_parts(&self, call: &Call<'_>) -> Answer {
        let id = call.query("uploadId").unwrap_or_default();
        let after: u32 = call.query("part-number-marker").and_then(|text| text.parse().ok()).unwrap_or(0);
        let most: usize = call.query("max-parts").and_then(|text| text.parse().ok()).unwrap_or(1000).min(1000);
        let upload = self.with_bucket(call, |bucket| Ok(find(bucket, call, id)?.clone()))?;
        let all: Vec<&Part> = upload.parts.range(after + 1..).map(|(_, part)| part).collect();
        let page = &all[..all.len().min(most)];
        xml_answer("ListPartsResult", |root| {
            root.text("Bucket", &call.bucket)
                .text("Key", &call.key)
                .text("UploadId", id)
                .element("Initiator", |owner| {
                    owner.text("ID", &call.request.account);
                })
                .element("Owner", |owner| {
                    owner.text("ID", &call.request.account);
                })
                .text("StorageClass", &upload.attributes.storage_class)
                .text("PartNumberMarker", after.to_string())
                .text("NextPartNumberMarker", page.last().map_or(0, |part| part.number).to_string())
                .text("MaxParts", most.to_string())
                .text("IsTruncated", (all.len() > most).to_string());
            for part in page {
                root.element("Part", |element| {
                    element
                        .text("PartNumber", part.number.to_string())
                        .text("LastModified", iso_time(part.modified_ms))
                        .text("ETag", format!("\"{}\"", part.etag))
                        .text("Size", part.size.to_string());
                    if let Some(checksum) = part.checksum.as_ref().filter(|_| upload.algorithm.is_some()) {
                        element.text(checksum.algorithm.element(), &checksum.value);
                    }
                });
            }
        })
    }

    pub(super) fn list_uploads(&self, call: &Call<'_>) -> Answer {
        let prefix = call.query("prefix").unwrap_or_default();
        self.with_bucket(call, |bucket| {
            let mut uploads: Vec<&Upload> =
                bucket.uploads.values().filter(|upload| upload.key.starts_with(prefix)).collect();
            uploads.sort_by_key(|upload| (&upload.key, upload.seq));
            xml_answer("ListMultipartUploadsResult", |root| {
                root.text("Bucket", &call.bucket)
                    .text("Prefix", prefix)
                    .text("MaxUploads", "1000")
                    .text("IsTruncated", "false");
                for upload in uploads {
                    root.element("Upload", |element| {
                        element
                            .text("Key", &upload.key)
                            .text("UploadId", &upload.id)
                            .text("StorageClass", &upload.attributes.storage_class)
                            .text("Initiated", iso_time(upload.started_ms));
                    });
                }
            })
        })
    }

    pub(super) fn abort_upload(&self, call: &Call<'_>) -> Answer {
        let id = call.query("uploadId").unwrap_or_default();
        self.change_bucket(call, |bucket, _| {
            find(bucket, call, id)?;
            bucket.remove_upload(id);
            Ok(Response::new(204))
        })
    }

    pub(super) fn complete_upload(&self, call: &Call<'_>) -> Answer {
        let id = call.query("uploadId").unwrap_or_default();
        let condition = WriteCondition::read(call)?;
        let upload = self.with_bucket(call, |bucket| Ok(find(bucket, call, id)?.clone()))?;
        let parts = chosen_parts(&upload, &call.request.body)?;
        // Conditions that already fail need no work; they are looked at again when it counts.
        self.with_bucket(call, |bucket| condition.check_upload(bucket, &call.key, upload.seq))?;
        let (file, etag, checksum) = self.assemble(call, &upload, &parts)?;
        if let Some(declared) = checksum::declared(&call.request.headers)?
            && (declared.algorithm, &declared.value) != (checksum.algorithm, &checksum.value)
        {
            self.discard(&call.bucket, &file);
            let text =
                format!("The {} you specified did not match the calculated checksum.", declared.algorithm.name());
            return Err(Fault::new(400, "BadDigest", text));
        }
        let stored = self.change_bucket(call, |bucket, seq| {
            find(bucket, call, id)?;
            condition.check_upload(bucket, &call.key, upload.seq)?;
            let version = Version {
                seq,
                key: call.key.clone(),
                id: new_version_id(bucket.settings.versioning),
                marker: false,
                file: file.clone(),
                size: parts.iter().map(|part| part.size).sum(),
                etag,
                modified_ms: call.now_ms,
                attributes: upload.attributes.clone(),
                checksum: Some(checksum),
                parts: parts.iter().map(|part| part.size).collect(),
            };
            bucket.push(version.clone())?;
            bucket.remove_upload(id);
            Ok((version, bucket.settings.versioning))
        });
        let (version, versioning) = stored.inspect_err(|_| self.discard(&call.bucket, &file))?;
        let response = xml_answer("CompleteMultipartUploadResult", |result| {
            result
                .text("Location", format!("http://{}.s3.amazonaws.com/{}", call.bucket, call.key))
                .text("Bucket", &call.bucket)
                .text("Key", &call.key)
                .text("ETag", format!("\"{}\"", version.etag));
            write_checksum(result, &version);
        })?;
        Ok(encryption_headers(version_header(response, &version, versioning), &version.attributes))
    }

    /// Puts the parts together in a new file; gives its name, ETag and checksum.
    fn assemble(&self, call: &Call<'_>, upload: &Upload, parts: &[Part]) -> Result<(String, String, Checksum), Fault> {
        let bucket_dir = self.dir.join(&call.bucket);
        let file = store::new_file();
        let mut target = std::fs::File::create_new(store::content_path(&bucket_dir, &file))?;
        let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
        let (mut whole, mut etags) = (Hasher::new(algorithm), Md5::new());
        let mut copy = || -> std::io::Result<()> {
            for part in parts {
                let mut content = Vec::new();
                std::fs::File::open(store::content_path(&bucket_dir, &part.file))?.read_to_end(&mut content)?;
                whole.update(&content);
                etags.update(Md5::digest(&content));
                target.write_all(&content)?;
            }
            Ok(())
        };
        copy().inspect_err(|_| self.discard(&call.bucket, &file))?;
        let checksum = if upload.full_object {
            Checksum { algorithm, value: STANDARD.encode(whole.finish()), composite: false }
        } else {
            let checksums: Vec<&Checksum> = parts.iter().filter_map(|part| part.checksum.as_ref()).collect();
            checksum::composite(algorithm, &checksums)
        };
        Ok((file, format!("{}-{}", http_hex(&etags.finalize()), parts.len()), checksum))
    }
}

fn find<'a>(bucket: &'a Bucket, call: &Call<'_>, id: &str) -> Result<&'a Upload, Fault> {
    bucket.uploads.get(id).filter(|upload| upload.key == call.key).ok_or_else(|| {
        let text = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
        Fault::new(404, "NoSuchUpload", text).with("UploadId", id)
    })
}

/// The parts that a completion names, in their order, each verified.
fn chosen_parts(upload: &Upload, body: &[u8]) -> Result<Vec<Part>, Fault> {
    let root =
        xml::parse(body).filter(|root| root.name == "CompleteMultipartUpload").ok_or_else(Fault::malformed_xml)?;
    let mut chosen: Vec<Part> = Vec::new();
    for element in root.all("Part") {
        let number: Option<u32> = element.text_of("PartNumber").and_then(|text| text.trim().parse().ok());
        let (Some(number), Some(etag)) = (number, element.text_of("ETag")) else { return Err(Fault::malformed_xml()) };
        let etag = etag.trim().trim_matches('"');
        if chosen.last().is_some_and(|last| last.number >= number) {
            return Err(Fault::new(
                400,
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ));
        }
        let invalid = || {
            let text = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
            Fault::new(400, "InvalidPart", text)
                .with("UploadId", &upload.id)
                .with("PartNumber", number.to_string())
                .with("ETag", etag)
        };
        let part = upload.parts.get(&number).filter(|part| part.etag == etag).ok_or_else(invalid)?;
        if let Some(checksum) = &part.checksum
            && element.text_of(checksum.algorithm.element()).is_some_and(|declared| declared != checksum.value)
        {
            return Err(invalid());
        }
        chosen.push(part.clone());
    }
    let Some((_, before)) = chosen.split_last() else { return Err(Fault::malformed_xml()) };
    if let Some(small) = before.iter().find(|part| part.size < MIN_PART_BYTES) {
        return Err(Fault::new(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
            .with("ProposedSize", small.size.to_string())
            .with("MinSizeAllowed", MIN_PART_BYTES.to_string())
            .with("PartNumber", small.number.to_string())
            .with("ETag", &small.etag));
    }
    Ok(chosen)
}
