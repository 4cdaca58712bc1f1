//! XML as AWS's services write and read it: elements, text, one namespace; no attributes that
//! matter, no DTD.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

/// Nothing in AWS's APIs nests deeper than about ten elements.
const MAX_DEPTH: usize = 32;

/// Writes a document.
#[derive(Debug)]
pub struct Writer {
    text: String,
}

impl Writer {
    /// A whole document: `<?xml…?><root xmlns="namespace">…</root>`.
    pub fn document(root: &str, namespace: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut writer = Self { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") };
        writer.text.push_str(&format!("<{root}"));
        if !namespace.is_empty() {
            writer.text.push_str(&format!(" xmlns=\"{namespace}\""));
        }
        writer.text.push('>');
        content(&mut writer);
        writer.text.push_str(&format!("</{root}>"));
        writer.text
    }

    /// An element with elements in it.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.text.push_str(&format!("<{name}>"));
        content(self);
        self.text.push_str(&format!("</{name}>"));
        self
    }

    /// An element with text in it.
    pub fn text(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        self.element(name, |element| element.write(value.as_ref()))
    }

    /// Text in the element that is open.
    pub fn write(&mut self, value: &str) {
        let value = escape(value).replace('\r', "&#13;");
        // What XML 1.0 cannot carry at all becomes the replacement character.
        let value = value.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r'), "\u{fffd}");
        self.text.push_str(&value);
    }

    /// An element with text in it, when there is a value.
    pub fn optional(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// `<name><member>…</member>…</name>`, as the query protocol writes lists; empty lists too.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |list| {
            for value in items {
                list.element("member", |member| item(member, value));
            }
        })
    }

    /// An element that was read, written back.
    pub fn tree(&mut self, element: &Element) -> &mut Self {
        if element.children.is_empty() {
            return self.text(&element.name, &element.text);
        }
        self.element(&element.name, |writer| {
            for child in &element.children {
                writer.tree(child);
            }
        })
    }
}

/// An element that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Element {
    /// Its name without a prefix.
    pub name: String,
    /// Its text, entities resolved.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the child of that name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

/// Reads a document; `None` when it is not well-formed, too deep, or has a DTD.
pub fn parse(bytes: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                if open.len() > MAX_DEPTH {
                    return None;
                }
                open.push(Element { name: local_name(&tag), ..Element::default() });
            }
            Event::Empty(tag) => {
                let element = Element { name: local_name(&tag), ..Element::default() };
                open.last_mut()?.children.push(element);
            }
            Event::End(_) => {
                let mut element = open.pop()?;
                // Between elements there is only indentation.
                if !element.children.is_empty() {
                    element.text.clear();
                }
                open.last_mut()?.children.push(element);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::CData(data) => open.last_mut()?.text.push_str(&data),
            Event::GeneralRef(reference) => {
                let target = &mut open.last_mut()?.text;
                match reference.resolve_char_ref().ok()? {
                    Some(character) => target.push(character),
                    None => target.push_str(quick_xml::escape::resolve_predefined_entity(&reference)?),
                }
            }
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match open.as_mut_slice() {
        [document] if document.children.len() == 1 => document.children.pop(),
        _ => None,
    }
}

fn local_name(tag: &quick_xml::events::BytesStart<'_>) -> String {
    let name: &str = tag.name().0;
    name.rsplit(':').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let xml = Writer::document("Root", "urn:x", |root| {
            root.text("Key", "a<b>&\"'\r\n\u{e9}").list("Items", ["1", ""], |member, item| {
                member.text("Value", item);
            });
        });
        let root = parse(xml.as_bytes()).unwrap();
        assert_eq!(root.name, "Root");
        assert_eq!(root.text_of("Key"), Some("a<b>&\"'\r\n\u{e9}"));
        let items: Vec<_> = root.child("Items").unwrap().all("member").map(|item| item.text_of("Value")).collect();
        assert_eq!(items, [Some("1"), Some("")]);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<a>".repeat(100_000);
        for bad in ["", "text", "<a>", "<a></b>", "<a/><b/>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", &deep] {
            assert_eq!(parse(bad.as_bytes()), None, "{}", &bad[..bad.len().min(40)]);
        }
        assert_eq!(parse(&[0xff, 0xfe, b'<']), None);
    }
}
