//! CloudFormation's short YAML tags (`!Ref`) and the long names (`Ref`, `Fn::Sub`) that they stand for.

/// Every short tag and its long name.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>
const TAGS: [(&str, &str); 23] = [
    ("And", "Fn::And"),
    ("Base64", "Fn::Base64"),
    ("Cidr", "Fn::Cidr"),
    ("Condition", "Condition"),
    ("Contains", "Fn::Contains"),
    ("EachMemberEquals", "Fn::EachMemberEquals"),
    ("EachMemberIn", "Fn::EachMemberIn"),
    ("Equals", "Fn::Equals"),
    ("FindInMap", "Fn::FindInMap"),
    ("GetAZs", "Fn::GetAZs"),
    ("GetAtt", "Fn::GetAtt"),
    ("If", "Fn::If"),
    ("ImportValue", "Fn::ImportValue"),
    ("Join", "Fn::Join"),
    ("Length", "Fn::Length"),
    ("Not", "Fn::Not"),
    ("Or", "Fn::Or"),
    ("Ref", "Ref"),
    ("Select", "Fn::Select"),
    ("Split", "Fn::Split"),
    ("Sub", "Fn::Sub"),
    ("ToJsonString", "Fn::ToJsonString"),
    ("Transform", "Fn::Transform"),
];

/// The long name of a short tag given without its `!`.
pub fn long_name(tag: &str) -> Option<&'static str> {
    TAGS.iter().find(|(short, _)| *short == tag).map(|(_, long)| *long)
}

/// The short tag, without its `!`, of a long name.
pub fn short_tag(name: &str) -> Option<&'static str> {
    TAGS.iter().find(|(_, long)| *long == name).map(|(short, _)| *short)
}

/// Every short tag, without its `!`.
pub fn short_tags() -> impl Iterator<Item = &'static str> {
    TAGS.iter().map(|(short, _)| *short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_and_its_long_name_lead_to_each_other() {
        for tag in short_tags() {
            assert_eq!(short_tag(long_name(tag).unwrap()), Some(tag));
        }
        assert_eq!(long_name("Ref"), Some("Ref"));
        assert_eq!(long_name("Sub"), Some("Fn::Sub"));
        assert_eq!(long_name("Fn::Sub"), None);
        assert_eq!(short_tag("Fn::ForEach::Topics"), None);
    }
}
