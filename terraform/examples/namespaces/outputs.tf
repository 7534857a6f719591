output "sync" {
  description = "Everything the module tells about itself."
  value       = module.sync
}
