//! S3's checksums: what a client sends is verified, what it does not send is computed (CRC64NVME).
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Fault;
use super::http_hex;

/// The algorithms that the sandbox computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha256,
}

pub(super) const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha256];

impl Algorithm {
    /// As in `ChecksumAlgorithm`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries it.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The XML element that carries it.
    pub(super) fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// By its name in a header.
    pub(super) fn named(name: &str) -> Result<Self, Fault> {
        let wanted = name.to_ascii_uppercase();
        match ALGORITHMS.into_iter().find(|algorithm| algorithm.name() == wanted) {
            Some(algorithm) => Ok(algorithm),
            None if wanted == "SHA1" => Err(Fault::missing("the checksum algorithm SHA1")),
            None => Err(Fault::new(
                400,
                "InvalidRequest",
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            )),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha256 => 32,
        }
    }
}

/// A checksum as S3 keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    /// Base64; with `-N` behind it where it is composite.
    pub(super) value: String,
    /// Of the checksums of the parts, not of the content.
    pub(super) composite: bool,
}

impl Checksum {
    pub(super) fn kind(&self) -> &'static str {
        if self.composite { "COMPOSITE" } else { "FULL_OBJECT" }
    }
}

/// Computes while content goes by.
pub(super) enum Hasher {
    Crc(Algorithm, Crc),
    Sha256(Sha256),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc(algorithm, Crc::new(CrcAlgorithm::Crc32IsoHdlc)),
            Algorithm::Crc32c => Self::Crc(algorithm, Crc::new(CrcAlgorithm::Crc32Iscsi)),
            Algorithm::Crc64Nvme => Self::Crc(algorithm, Crc::new(CrcAlgorithm::Crc64Nvme)),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(bytes),
            Self::Sha256(sha) => sha.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(algorithm, crc) => crc.finalize().to_be_bytes()[8 - algorithm.bytes()..].to_vec(),
            Self::Sha256(sha) => sha.finalize().to_vec(),
        }
    }
}

/// The checksum of some content.
pub(super) fn compute(algorithm: Algorithm, bytes: &[u8]) -> Checksum {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    Checksum { algorithm, value: STANDARD.encode(hasher.finish()), composite: false }
}

/// The checksum of checksums, for a multipart upload with composite checksums.
pub(super) fn composite(algorithm: Algorithm, parts: &[&Checksum]) -> Checksum {
    let mut hasher = Hasher::new(algorithm);
    for part in parts {
        hasher.update(&STANDARD.decode(&part.value).unwrap_or_default());
    }
    let value = format!("{}-{}", STANDARD.encode(hasher.finish()), parts.len());
    Checksum { algorithm, value, composite: true }
}

/// The one checksum that the headers carry.
pub(super) fn declared(headers: &HeaderMap) -> Result<Option<Checksum>, Fault> {
    if headers.contains_key("x-amz-checksum-sha1") {
        return Err(Fault::missing("the checksum algorithm SHA1"));
    }
    let mut found = None;
    for algorithm in ALGORITHMS {
        let Some(value) = headers.get(algorithm.header()) else { continue };
        if found.is_some() {
            return Err(Fault::new(
                400,
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let value = value.to_str().unwrap_or_default().to_owned();
        found = Some(Checksum { algorithm, value, composite: false });
    }
    Ok(found)
}

/// Verifies everything that the headers say of the content, and gives the checksum to keep.
pub(super) fn verify(headers: &HeaderMap, body: &[u8], wanted: Option<Algorithm>) -> Result<Checksum, Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(md5) = text("content-md5") {
        match STANDARD.decode(md5) {
            Ok(digest) if digest.len() == 16 => {
                if md5::Md5::digest(body).as_slice() != digest {
                    return Err(Fault::new(
                        400,
                        "BadDigest",
                        "The Content-MD5 you specified did not match what we received.",
                    ));
                }
            }
            _ => return Err(Fault::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")),
        }
    }
    if let Some(sha) = text("x-amz-content-sha256").filter(|text| text.len() == 64)
        && !sha.eq_ignore_ascii_case(&http_hex(&Sha256::digest(body)))
    {
        return Err(Fault::new(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    let Some(declared) = declared(headers)? else {
        return Ok(compute(wanted.unwrap_or(Algorithm::Crc64Nvme), body));
    };
    let algorithm = declared.algorithm;
    if STANDARD.decode(&declared.value).map_or(0, |bytes| bytes.len()) != algorithm.bytes() {
        return Err(Fault::new(400, "InvalidRequest", format!("Value for {} header is invalid.", algorithm.header())));
    }
    let computed = compute(algorithm, body);
    if computed.value != declared.value {
        let text = format!("The {} you specified did not match the calculated checksum.", algorithm.name());
        return Err(Fault::new(400, "BadDigest", text));
    }
    Ok(computed)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn checksums_are_those_that_aws_recorded() {
        assert_eq!(compute(Algorithm::Crc32, b"test-delete").value, "1jy6qw==");
        assert_eq!(compute(Algorithm::Crc32, b"").value, "AAAAAA==");
        assert_eq!(compute(Algorithm::Crc32c, b"123456789").value, "4waSgw==");
        // The check value of CRC-64/NVME: ae8b14860a799888.
        assert_eq!(compute(Algorithm::Crc64Nvme, b"123456789").value, "rosUhgp5mIg=");
        assert_eq!(compute(Algorithm::Sha256, b"").value, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn a_wrong_checksum_is_a_bad_digest() {
        for (name, value, code) in [
            ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "BadDigest"),
            ("x-amz-checksum-sha256", "AAAA", "InvalidRequest"),
            ("x-amz-checksum-crc32", "not base64", "InvalidRequest"),
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==", "BadDigest"),
            ("content-md5", "x", "InvalidDigest"),
            (
                "x-amz-content-sha256",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "XAmzContentSHA256Mismatch",
            ),
        ] {
            let headers: HeaderMap =
                [(hyper::header::HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(verify(&headers, b"content", None).unwrap_err().code, code, "{name}: {value}");
        }
        assert_eq!(verify(&HeaderMap::new(), b"", None).unwrap().algorithm, Algorithm::Crc64Nvme);
    }
}
