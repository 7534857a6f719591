//! The whole evaluated plan of each example, as it was last read and found right: whatever a change
//! to the module makes otherwise is seen, in whichever line it is made.

use super::{module_copy::Copy, plan::Plan, tools::Tools};

/// Of the example as it is, or with other variables than the usual.
fn plan(tools: &Tools, copy: &Copy, example: &str, variables: &str) -> Plan {
    let folder = copy.module().join("examples").join(example);
    Plan::of(tools, &folder, variables).unwrap_or_else(|why| panic!("{}", why.said))
}

macro_rules! the_plan_of {
    ($name:ident, $example:literal) => {
        #[test]
        fn $name() {
            let Some(tools) = Tools::find() else { return };
            insta::assert_snapshot!(plan(&tools, &Copy::new(), $example, "").render());
        }
    };
}

the_plan_of!(
    the_plan_of_the_development_example_is_the_one_that_was_read,
    "development"
);
the_plan_of!(
    the_plan_of_the_staging_example_is_the_one_that_was_read,
    "staging"
);
the_plan_of!(
    the_plan_of_the_production_example_is_the_one_that_was_read,
    "production"
);
the_plan_of!(
    the_plan_of_the_namespaces_example_is_the_one_that_was_read,
    "namespaces"
);

#[test]
fn the_first_apply_makes_what_needs_no_image() {
    let Some(tools) = Tools::find() else { return };
    let variables = "variables {\n  project_id = \"sync-test\"\n}\n";
    insta::assert_snapshot!(plan(&tools, &Copy::new(), "production", variables).addresses());
}

/// A plan does not show what waits for what.
#[test]
fn what_waits_for_what_is_as_it_was_read() {
    insta::assert_snapshot!(Copy::new().order());
}
