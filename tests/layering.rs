//! The layout as a rule: imports go one way, no files form a circle, the core does no I/O, and only the adapters know
//! the AWS SDK.
//!
//! The files are parsed. Code that only tests compile does not count. A re-export in a `mod.rs` is not an import: a name
//! counts for the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use crate::support::files::{files_below, root};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// The layers from the bottom up. A file may import its own layer and those before it.
const LAYERS: [&str; 11] = [
    "policy",
    "access",
    "rule/ports",
    "rule/progress",
    "rule/invocation",
    "rule/read",
    "rule/nodes",
    "rule/report",
    "rule/error",
    "rule",
    "aws",
];

/// Circles that may stay: the catalogue reads its data, whose entries are of the catalogue's types.
const HARMLESS: [[&str; 2]; 1] = [["access/catalogue", "access/catalogue_data"]];

/// What the core must not name: SDK, runtime, logging, the file system, the environment, the network, the clock.
const OUTSIDE: [&str; 15] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk_",
    "aws_smithy_",
    "aws_types",
    "lambda_runtime",
    "tokio",
    "tracing",
    "std::env",
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "SystemTime",
    "Instant::now",
    "now_utc",
];

/// A file of the crate as a module: `rule/ports/iam`; the folder's name for a `mod.rs`, and nothing for the root.
type Module = String;

/// What one file imports and re-exports.
#[derive(Default)]
struct Names {
    /// The child modules that the file declares.
    children: BTreeSet<String>,
    /// Every path that the file names, as it is written.
    paths: Vec<Vec<String>>,
    /// What the file re-exports: the name, and the path that it is re-exported from.
    exports: BTreeMap<String, Vec<String>>,
    /// The paths of glob re-exports.
    globs: Vec<Vec<String>>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// Every path in a tree of `use`, with the name that it gets.
fn leaves(tree: &UseTree, before: &[String], found: &mut Vec<(Option<String>, Vec<String>)>) {
    let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
    match tree {
        UseTree::Path(path) => leaves(&path.tree, &with(&path.ident), found),
        UseTree::Name(name) if name.ident == "self" => found.push((before.last().cloned(), before.to_vec())),
        UseTree::Name(name) => found.push((Some(name.ident.to_string()), with(&name.ident))),
        UseTree::Rename(renamed) => found.push((Some(renamed.rename.to_string()), with(&renamed.ident))),
        UseTree::Glob(_) => found.push((None, before.to_vec())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, before, found)),
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if !is_test(&module.attrs) => {
                if module.content.is_none() {
                    self.children.insert(module.ident.to_string());
                }
                visit::visit_item_mod(self, module);
            }
            Item::Use(import) if !is_test(&import.attrs) => {
                let mut found = Vec::new();
                leaves(&import.tree, &[], &mut found);
                for (name, path) in found {
                    let exported = !matches!(import.vis, syn::Visibility::Inherited);
                    match name {
                        Some(name) if exported => drop(self.exports.insert(name, path)),
                        None if exported => self.globs.push(path),
                        _ => self.paths.push(path),
                    }
                }
            }
            Item::Mod(_) | Item::Use(_) => {}
            other => visit::visit_item(self, other),
        }
    }

    /// `pub(in crate::rule)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// The arguments of `format!`, `matches!` and the like, as far as they are expressions.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let parser = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(arguments) = call.parse_body_with(parser) {
            arguments.iter().for_each(|argument| visit::visit_expr(self, argument));
        }
    }
}

/// The crate's files by module, with what they name.
struct Crate(BTreeMap<Module, Names>);

impl Crate {
    /// From files: the path below `src`, and the text.
    fn of<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let modules = files.into_iter().map(|(path, text)| {
            let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let module = if module == "lib" { "" } else { module };
            let file = syn::parse_file(text).map_err(|error| format!("{path}: {error}")).unwrap();
            let mut names = Names::default();
            names.visit_file(&file);
            (module.to_owned(), names)
        });
        let mut modules: BTreeMap<Module, Names> = modules.collect();
        let folders =
            modules.keys().flat_map(|module| module.match_indices('/').map(|(at, _)| module[..at].to_owned()));
        for folder in folders.chain([String::new()]).collect::<Vec<_>>() {
            modules.entry(folder).or_default();
        }
        Self(modules)
    }

    /// The library, without the binaries.
    fn library() -> Self {
        let files = sources("src").into_iter().filter_map(|(path, text)| {
            let path = path.strip_prefix("src").unwrap().to_str().unwrap().to_owned();
            (path.contains('/') && !path.starts_with("bin/") || path == "lib.rs").then_some((path, text))
        });
        let files: Vec<(String, String)> = files.collect();
        Self::of(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
    }

    /// The module that defines what a path in `from` leads to, if that is one of the crate.
    fn resolve(&self, from: &str, path: &[String]) -> Option<Module> {
        let names = self.0.get(from)?;
        let (mut at, rest) = match path {
            [first, rest @ ..] if first == "crate" => (String::new(), rest),
            [first, rest @ ..] if first == "self" => (from.to_owned(), rest),
            [first, ..] if first == "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                let parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
                (parts[..parts.len().checked_sub(up)?].join("/"), &path[up..])
            }
            // A path that starts with a child module, and no crate of that name.
            [first, _, ..] if names.children.contains(first) => (from.to_owned(), path),
            _ => return None,
        };
        for (index, part) in rest.iter().enumerate() {
            let child = if at.is_empty() { part.clone() } else { format!("{at}/{part}") };
            if self.0.contains_key(&child) {
                at = child;
                continue;
            }
            let here = self.0.get(&at)?;
            let onward = |target: &Vec<String>| target.iter().chain(&rest[index + 1..]).cloned().collect::<Vec<_>>();
            if let Some(target) = here.exports.get(part).filter(|target| target.len() > 1) {
                return self.resolve(&at, &onward(target)).or(Some(at));
            }
            break;
        }
        Some(at)
    }

    /// Which other files each file imports.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<Module>> {
        let imports = self.0.iter().map(|(module, names)| {
            // A re-export of what lies below is no import; one of anything else is.
            let below = format!("{module}/");
            let exports = names.exports.values().chain(&names.globs).filter_map(|path| self.resolve(module, path));
            let exports = exports.filter(|target| !module.is_empty() && !target.starts_with(&below));
            let paths = names.paths.iter().filter_map(|path| self.resolve(module, path));
            let targets = exports.chain(paths).filter(|target| target != module && !target.is_empty());
            (module.as_str(), targets.collect())
        });
        imports.collect()
    }

    /// The imports that go against the layers.
    fn upward(&self) -> Vec<String> {
        // The longest name that fits: `rule/read` before `rule`.
        let height = |module: &str| {
            let fits = |layer: &str| module == layer || module.starts_with(&format!("{layer}/"));
            let fitting = LAYERS.iter().enumerate().filter(|(_, layer)| fits(layer));
            fitting.max_by_key(|(_, layer)| layer.len()).map(|(height, _)| height)
        };
        let mut upward = Vec::new();
        for (module, targets) in self.imports() {
            for target in targets {
                if height(module) < height(&target) {
                    upward.push(format!("{module} imports {target}"));
                }
            }
        }
        upward
    }

    /// The circles: groups of files of which each imports every other, if only through others.
    fn circles(&self) -> Vec<Vec<&str>> {
        let imports = self.imports();
        let reached = |from: &str| {
            let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
            while let Some(module) = open.pop() {
                for target in imports.get(module.as_str()).into_iter().flatten() {
                    if reached.insert(target.clone()) {
                        open.push(target.clone());
                    }
                }
            }
            reached
        };
        let reached: BTreeMap<&str, BTreeSet<Module>> =
            imports.keys().map(|module| (*module, reached(module))).collect();
        let mut circles: Vec<Vec<&str>> = Vec::new();
        for (module, targets) in &reached {
            let together: Vec<&str> = (reached.iter())
                .filter(|(other, back)| targets.contains(**other) && back.contains(*module))
                .map(|(other, _)| *other)
                .collect();
            if together.len() > 1 && !circles.contains(&together) {
                circles.push(together);
            }
        }
        circles.retain(|circle| !HARMLESS.iter().any(|harmless| circle == harmless));
        circles
    }
}

/// Every Rust file below a folder, with its path from the root of the checkout and its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let files = files_below(folder, &["rs"]).into_iter();
    files.map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap())).collect()
}

/// The text without the lines that are comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn library_imports_go_one_way() {
    assert_eq!(Crate::library().upward(), Vec::<String>::new());
}

#[test]
fn library_files_form_no_circle() {
    assert_eq!(Crate::library().circles(), Vec::<Vec<&str>>::new());
}

/// The checks see every spelling of an import, follow re-exports, and fail where they should.
#[test]
fn bad_layout_is_found() {
    let check = |files: &[(&str, &str)]| {
        let layout = Crate::of(files.iter().copied());
        (layout.upward(), layout.circles().iter().map(|circle| circle.join(" ")).collect::<Vec<_>>())
    };
    let none = Vec::<String>::new;
    let policy = ("policy/mod.rs", "pub mod json; mod arn; pub use self::arn::Arn; pub use json::Json;");
    for (because, files, upward, circles) in [
        (
            "a plain import downward",
            vec![policy, ("policy/json.rs", ""), ("policy/arn.rs", ""), ("access/role.rs", "use crate::policy::Json;")],
            none(),
            none(),
        ),
        (
            "an import upward in braces",
            vec![("policy/json.rs", "use crate::{access::{role::Role}};"), ("access/role.rs", "")],
            vec!["policy/json imports access/role".to_owned()],
            none(),
        ),
        (
            "an import upward inside `rule`, through a re-export",
            vec![
                ("rule/mod.rs", "mod error; mod read; pub use error::EvaluationError;"),
                ("rule/error.rs", ""),
                ("rule/read/roles.rs", "fn read() -> crate::rule::EvaluationError { todo() }"),
            ],
            vec!["rule/read/roles imports rule/error".to_owned()],
            none(),
        ),
        (
            "two files that import each other through the re-exports of `mod.rs`",
            vec![policy, ("policy/json.rs", "use super::Arn;"), ("policy/arn.rs", "fn f(json: super::Json) {}")],
            none(),
            vec!["policy/arn policy/json".to_owned()],
        ),
        (
            "three files, one import in a macro",
            vec![
                ("policy/a.rs", "use super::b::B;"),
                ("policy/b.rs", "fn f() { format!(\"{}\", crate::policy::c::C) }"),
                ("policy/c.rs", "impl super::a::A {}"),
            ],
            none(),
            vec!["policy/a policy/b policy/c".to_owned()],
        ),
        (
            "a child that imports the `mod.rs` that uses it",
            vec![("aws/mod.rs", "mod iam; use iam::Iam; pub struct Clients;"), ("aws/iam.rs", "use super::Clients;")],
            none(),
            vec!["aws aws/iam".to_owned()],
        ),
        (
            "an import that only tests compile",
            vec![
                ("policy/a.rs", "use super::b::B;"),
                ("policy/b.rs", "#[cfg(test)] mod tests { use crate::policy::a::A; }"),
            ],
            none(),
            none(),
        ),
        (
            "the circle that may stay",
            vec![
                ("access/catalogue.rs", "use super::catalogue_data::DATA;"),
                ("access/catalogue_data.rs", "use super::catalogue::Action;"),
            ],
            none(),
            none(),
        ),
    ] {
        assert_eq!(check(&files), (upward, circles), "{because}");
    }
}

#[test]
fn core_touches_nothing_outside_itself() {
    for layer in ["policy", "access", "rule"] {
        for (path, text) in sources(&format!("src/{layer}")) {
            for outside in OUTSIDE {
                assert!(!code(&text).contains(outside), "{} names {outside}", path.display());
            }
        }
    }
}

#[test]
fn only_adapters_name_the_sdk() {
    for (path, text) in sources("src") {
        for sdk in ["aws_sdk_", "aws_config", "aws_runtime", "aws_smithy_", "aws_types"] {
            assert!(path.starts_with("src/aws") || !code(&text).contains(sdk), "{} names {sdk}", path.display());
        }
    }
}

#[test]
fn every_file_opens_with_its_purpose() {
    for (path, text) in sources("src") {
        assert!(text.starts_with("//!"), "{} has no `//!`", path.display());
    }
}
