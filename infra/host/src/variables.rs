//! Application variables, the templates over them, and `spin:variables` and `wasi:config` for the components.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use wasmtime::component::{Accessor, HasData};

use crate::bindings::spin::variables::variables as spin;
use crate::bindings::wasi::config::store as config;
use crate::manifest::Variable;
use crate::names::check_variable;

/// The prefix of the environment variables that set application variables.
const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// The application's variables, each with its value.
#[derive(Debug)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Gives every variable that the manifest declares its value: from the command line, else the environment, else `.env`, else
    /// its default. That is Spin's order.
    pub fn resolve(
        declared: &BTreeMap<String, Variable>,
        command_line: &[(String, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in declared {
            // The last `--variable` of a name wins, as in a map.
            let given = command_line.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.clone());
            let from_environment = || environment(&format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase()));
            match given.or_else(from_environment).or_else(|| variable.default.clone()) {
                Some(value) => drop(values.insert(name.clone(), value)),
                None => missing.push(format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase())),
            }
        }
        ensure!(
            missing.is_empty(),
            "required variables have no value: set {}, or give them with --variable name=value",
            missing.join(", ")
        );
        Ok(Self(values))
    }

    /// Replaces each `{{ name }}` in `template` by that variable's value.
    pub fn render(&self, template: &str) -> Result<String> {
        let mut rendered = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((literal, tail)) = rest.split_once("{{") {
            let (name, tail) =
                tail.split_once("}}").with_context(|| format!("unmatched '{{{{' in the template {template:?}"))?;
            let value = self
                .0
                .get(name.trim())
                .with_context(|| format!("unknown variable {:?} in {template:?}", name.trim()))?;
            rendered.push_str(literal);
            rendered.push_str(value);
            rest = tail;
        }
        rendered.push_str(rest);
        Ok(rendered)
    }
}

/// Whether a string has a template in it.
pub fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// The environment, and under it the `.env` file of the current folder, which Spin reads too.
pub fn environment() -> Result<impl Fn(&str) -> Option<String>> {
    let entries = dotenvy::from_path_iter(".env").into_iter().flatten();
    let file = entries.collect::<Result<BTreeMap<_, _>, _>>().context("cannot read .env")?;
    Ok(move |name: &str| std::env::var(name).ok().or_else(|| file.get(name).cloned()))
}

/// The variables that one component was granted, with their values.
#[derive(Debug)]
pub struct ComponentVariables {
    component: String,
    values: BTreeMap<String, String>,
}

impl ComponentVariables {
    /// Renders the component's templates.
    pub fn new(component: &str, templates: &BTreeMap<String, String>, application: &Values) -> Result<Self> {
        let render = |(name, template): (&String, &String)| {
            check_variable(name).map_err(|reason| anyhow::anyhow!("variable {name:?}: {reason}"))?;
            let value = application.render(template).with_context(|| format!("variable {name:?}"))?;
            Ok((name.clone(), value))
        };
        let values = templates.iter().map(render).collect::<Result<_>>()?;
        Ok(Self { component: component.into(), values })
    }

    fn get(&self, name: &str) -> std::result::Result<String, spin::Error> {
        check_variable(name).map_err(|reason| spin::Error::InvalidName(format!("{name:?}: {reason}")))?;
        let undefined = || spin::Error::Undefined(format!("no variable for {:?}.{name:?}", self.component));
        self.values.get(name).cloned().ok_or_else(undefined)
    }
}

/// How the linker finds the variables in an instance's state.
pub struct Variables;

impl HasData for Variables {
    type Data<'a> = &'a mut std::sync::Arc<ComponentVariables>;
}

impl spin::Host for std::sync::Arc<ComponentVariables> {}

impl<T: Send> spin::HostWithStore<T> for Variables {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> std::result::Result<String, spin::Error> {
        accessor.with(|mut access| access.get().get(&name))
    }
}

impl config::Host for std::sync::Arc<ComponentVariables> {
    async fn get(&mut self, name: String) -> std::result::Result<Option<String>, config::Error> {
        // Here a name that is not there and one that cannot be are the same answer.
        Ok(ComponentVariables::get(self, &name).ok())
    }

    async fn get_all(&mut self) -> std::result::Result<Vec<(String, String)>, config::Error> {
        Ok(self.values.clone().into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(variables: &str, command_line: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Values> {
        let text = format!("spin_manifest_version = 2\n[application]\nname = \"app\"\n[variables]\n{variables}");
        let manifest = crate::manifest::parse(&text, std::path::Path::new(""))?;
        let command_line: Vec<_> =
            command_line.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Values::resolve(&manifest.variables, &command_line, |name| {
            environment.iter().find(|(given, _)| *given == name).map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn a_template_is_literals_and_variables() {
        let values = values("a = { default = \"1\" }\nb_c = { default = \"2\" }", &[], &[]).unwrap();
        let check =
            |template: &str, expected: &str| assert_eq!(values.render(template).unwrap(), expected, "{template}");
        check("", "");
        check("plain } text {", "plain } text {");
        check("{{ a }}", "1");
        check("x{{a}}y{{  b_c }}z", "x1y2z");
        check("{{a}}{{a}}", "11");
        assert!(values.render("{{ a").is_err());
        assert!(values.render("{{ unknown }}").is_err());
    }

    #[test]
    fn the_command_line_beats_the_environment_and_that_beats_the_default() {
        let variable = "redis_url = { default = \"from-default\" }";
        let environment = [("SPIN_VARIABLE_REDIS_URL", "from-environment")];
        let check = |values: Result<Values>, expected: &str| {
            assert_eq!(values.unwrap().render("{{ redis_url }}").unwrap(), expected)
        };
        check(values(variable, &[], &[]), "from-default");
        check(values(variable, &[], &environment), "from-environment");
        check(values(variable, &[("redis_url", "from-command")], &environment), "from-command");
    }

    #[test]
    fn a_required_variable_without_a_value_is_named_in_the_refusal() {
        let refusal = values("a = { required = true }\nb = { required = true }", &[("a", "x")], &[]).unwrap_err();
        let text = refusal.to_string();
        assert!(text.contains("SPIN_VARIABLE_B") && !text.contains("SPIN_VARIABLE_A"), "{text}");
    }

    #[test]
    fn a_component_sees_only_what_it_was_granted() {
        let application = values("secret = { default = \"x\" }", &[], &[]).unwrap();
        let templates = BTreeMap::from([("mine".to_string(), "<{{ secret }}>".to_string())]);
        let variables = ComponentVariables::new("reads", &templates, &application).unwrap();
        assert_eq!(variables.get("mine").unwrap(), "<x>");
        let undefined = "no variable for \"reads\".\"secret\"";
        assert!(matches!(variables.get("secret"), Err(spin::Error::Undefined(text)) if text == undefined));
        assert!(matches!(variables.get("Bad-Name"), Err(spin::Error::InvalidName(_))));
        let unknown = BTreeMap::from([("mine".to_string(), "{{ nope }}".to_string())]);
        assert!(ComponentVariables::new("reads", &unknown, &application).is_err());
    }
}
