//! The language of the pages, by `Accept-Language` (RFC 9110, 12.5.4).

/// The languages that the pages have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Also where none is asked for that the pages have.
    English,
    /// German.
    German,
}

/// The part of the header that is looked at, in bytes.
const LOOKED_AT: usize = 256;

/// The language that the caller likes best of those that the pages have; of equal ones the first.
pub fn language(accept: &[u8]) -> Language {
    let mut best = (0.0, Language::English);
    for range in accept[..accept.len().min(LOOKED_AT)].split(|b| *b == b',') {
        let range = String::from_utf8_lossy(range).to_ascii_lowercase();
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().and_then(|tag| tag.split('-').next()).unwrap_or_default();
        let weight = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim() == "q");
        let weight = weight.map_or(1.0, |(_, value)| self::weight(value));
        if let (Some(language), true) = (known(tag), weight > best.0) {
            best = (weight, language);
        }
    }
    best.1
}

fn known(tag: &str) -> Option<Language> {
    match tag {
        "en" | "*" => Some(Language::English),
        "de" => Some(Language::German),
        _ => None,
    }
}

/// From 0 to 1; what is no such number counts as 0, which is "not this one".
fn weight(text: &str) -> f32 {
    text.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_of_a_caller() {
        let long = format!("{},de", "fr;q=0.1,".repeat(100));
        for (accept, german) in [
            ("", false),
            ("de", true),
            ("DE-at", true),
            ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", true),
            ("en-US,en;q=0.9,de;q=0.8", false),
            ("en;q=0.5, de;q=0.9", true),
            ("en ; q=0.5 , de ; q = 0.9", true),
            ("fr,de;q=0.1", true),
            ("fr,de;q=0.1,*;q=0.5", false),
            ("fr", false),
            ("*", false),
            ("de;q=0", false),
            ("de;q=nan", false),
            ("de;q=2", false),
            ("de;q=-1", false),
            ("den", false),
            ("x-de", false),
            (&long, false),
            (",;q=,;;", false),
        ] {
            assert_eq!(language(accept.as_bytes()) == Language::German, german, "{accept}");
        }
        assert_eq!(language(b"\xff\xfe,de;q=0.3"), Language::German);
    }
}
