//! What an operator is given: the Terraform module, the image, and the documents that say how to
//! use them.

mod broken;
mod command_lines;
mod documents;
mod image;
mod links;
mod logs;
mod module;
mod module_copy;
mod mutations;
mod names;
mod operations;
mod outward_names;
mod plan;
mod plans;
mod tools;
