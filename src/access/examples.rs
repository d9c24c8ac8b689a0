//! Values that witnesses show, so that they look like real requests.
//!
//! Most keys have a *form*: text with places for characters. The search prefers values of the form. It restricts nothing:
//! a policy may compare a key with any text.
//!
//! Sources: IAM User Guide, "AWS global condition context keys", the paragraphs "Example value"; Amazon EC2 User Guide,
//! "Resource IDs"; Organizations API reference, `Organization`.

use super::solver::universe::{Form, Universe};

/// Where the role's account is.
pub(super) struct Home<'a> {
    pub(super) partition: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
}

/// The characters that fill the places of a form, for the first and for the second example.
const FILLINGS: [&str; 2] = ["0a1b2c3d4e5f67890", "0f9e8d7c6b5a43210"];

/// The form of a key, which is given in lower case, and two words for `~`. The places are those of [`Universe::Form`].
fn form(key: &str) -> Option<(&'static str, [&'static str; 2])> {
    let words = ["build", "deploy"];
    Some(match key {
        "aws:sourcevpc" | "aws:ec2instancesourcevpc" => ("vpc-{id}", words),
        "aws:sourcevpce" => ("vpce-{id}", words),
        "aws:sourcevpcarn" => ("arn:{partition}:ec2:{region}:{account}:vpc/vpc-{id}", words),
        "ec2:sourceinstancearn" | "ssm:sourceinstancearn" => {
            ("arn:{partition}:ec2:{region}:{account}:instance/i-{id}", words)
        }
        "lambda:sourcefunctionarn" => ("arn:{partition}:lambda:{region}:{account}:function:~", words),
        "codebuild:projectarn" => ("arn:{partition}:codebuild:{region}:{account}:project/~", words),
        "codebuild:buildarn" => {
            ("arn:{partition}:codebuild:{region}:{account}:build/~:%%%%%%%%-%%%%-%%%%-%%%%-%%%%%%%%%%%%", words)
        }
        "aws:chatbotsourcearn" => ("arn:{partition}:chatbot::{account}:chat-configuration/slack-channel/~", words),
        "aws:signinsessionarn" => ("arn:{partition}:signin:{region}:{account}:session/~", words),
        "aws:federatedprovider" => ("arn:{partition}:iam::{account}:oidc-provider/~.example.com", ["idp", "login"]),
        "aws:vpceaccount" => ("{account}", words),
        "aws:principalorgid" | "aws:resourceorgid" | "aws:vpceorgid" => ("o-@@@@@@@@@@", words),
        "aws:principalorgpaths" | "aws:resourceorgpaths" | "aws:vpceorgpaths" => {
            ("o-@@@@@@@@@@/r-@@@@/ou-@@@@-@@@@@@@@/", words)
        }
        "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" => {
            ("~.amazonaws.com", ["cloudformation", "codebuild"])
        }
        "aws:calledviaawsmcp" => ("~.amazonaws.com", ["aws-mcp", "eks-mcp"]),
        "aws:referer" => ("https://~.example.com/", ["www", "intranet"]),
        "identitystore:userid" => ("%%%%%%%%-%%%%-%%%%-%%%%-%%%%%%%%%%%%", words),
        _ => return None,
    })
}

/// The forms of the id of a resource of EC2: new ids have 17 digits, old ones 8, and people make up others.
const IDS: [&str; 3] = ["%%%%%%%%%%%%%%%%%", "%%%%%%%%", "~"];

/// Two examples for a key, which is given in lower case, and the forms of its values, the most usual one first. Both are empty
/// for a key without form.
pub(super) fn of_key(key: &str, home: &Home<'_>) -> (Vec<String>, Vec<Universe>) {
    let Some((form, words)) = form(key) else { return (Vec::new(), Vec::new()) };
    let form = form.replace("{partition}", home.partition);
    let filled = |region: &str, account: &str, id: &str| {
        form.replace("{region}", region).replace("{account}", account).replace("{id}", id)
    };
    let here = filled(home.region, home.account, IDS[0]);
    let example = |(filling, word): (&str, &str)| {
        let mut filling = filling.chars().cycle();
        let mut example = String::new();
        for place in here.chars() {
            match place {
                '%' | '@' => example.extend(filling.next()),
                '~' => example.push_str(word),
                c => example.push(c),
            }
        }
        example
    };
    let (any_region, any_account) = ("~", "############");
    let places = [
        (home.region, home.account, IDS[0]),
        (home.region, any_account, IDS[0]),
        (any_region, home.account, IDS[0]),
        (home.region, home.account, IDS[1]),
        (home.region, home.account, IDS[2]),
        (any_region, any_account, IDS[0]),
        (any_region, any_account, IDS[2]),
    ];
    let forms = places.map(|(region, account, id)| Universe::Form(Form::new(&filled(region, account, id))));
    let mut usual = forms.to_vec();
    usual.dedup();
    (FILLINGS.into_iter().zip(words).map(example).collect(), usual)
}
