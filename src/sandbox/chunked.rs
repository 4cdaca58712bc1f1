//! The aws-chunked content encoding: chunks with a length, perhaps a signature, and trailers that
//! carry checksums.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// Whether these headers announce the encoding.
pub(super) fn is_chunked(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text("x-amz-content-sha256").starts_with("STREAMING-")
        || text("content-encoding").split(',').any(|encoding| encoding.trim().eq_ignore_ascii_case("aws-chunked"))
}

/// Takes the framing off: gives the content, adds the trailers to the headers and removes the
/// encoding from them. `None` when the framing is broken or cut short.
pub(super) fn decode(headers: &mut HeaderMap, body: &[u8]) -> Option<Bytes> {
    let mut content = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let (line, after) = split_line(rest)?;
        let size = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            rest = after;
            break;
        }
        content.extend_from_slice(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix(b"\r\n")?;
    }
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if line.is_empty() {
            break;
        }
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        let name = HeaderName::try_from(name.trim().to_ascii_lowercase()).ok()?;
        // The signature of the trailers is checked no more than any other.
        if name.as_str() != "x-amz-trailer-signature" {
            headers.insert(name, HeaderValue::try_from(value.trim()).ok()?);
        }
    }
    if let Some(length) = headers.remove("x-amz-decoded-content-length")
        && length.to_str().ok()?.parse::<usize>().ok()? != content.len()
    {
        return None;
    }
    if let Some(encodings) = headers.remove("content-encoding") {
        let kept: Vec<&str> = encodings
            .to_str()
            .ok()?
            .split(',')
            .map(str::trim)
            .filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("aws-chunked"))
            .collect();
        if !kept.is_empty() {
            headers.insert("content-encoding", HeaderValue::try_from(kept.join(",")).ok()?);
        }
    }
    Some(Bytes::from(content))
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn chunks_and_trailers_are_taken_off() {
        let mut headers = headers(&[
            ("content-encoding", "gzip, aws-chunked"),
            ("x-amz-decoded-content-length", "11"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ]);
        assert!(is_chunked(&headers));
        let body = b"5;chunk-signature=abc\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32: sOO8/Q==\r\n\r\n";
        assert_eq!(decode(&mut headers, body).unwrap(), "hello world");
        assert_eq!(headers["x-amz-checksum-crc32"], "sOO8/Q==");
        assert_eq!(headers["content-encoding"], "gzip");
    }

    #[test]
    fn broken_framing_is_refused() {
        for body in
            ["", "5\r\nhel", "5\r\nhello", "zz\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nx", "5\r\nhello!\r\n0\r\n"]
        {
            assert_eq!(decode(&mut HeaderMap::new(), body.as_bytes()), None, "{body:?}");
        }
        let mut wrong_length = headers(&[("x-amz-decoded-content-length", "4")]);
        assert_eq!(decode(&mut wrong_length, b"5\r\nhello\r\n0\r\n\r\n"), None);
    }
}
