//! Other products than GitLab, one file or folder each: their challenge, their own API, and their quirks, as far as their sources confirm
//! them. Each is a `RegistryDouble`-like handle: content, faults, and a log of what was asked.
