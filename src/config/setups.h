// The standard setups: which defaults each of them changes.
#pragma once

#include <optional>
#include <string_view>

namespace sternpost::config {

/// The default that `setup` gives the parameter `key`, written as Parameter::initial is; nothing where it
/// changes none. "$hostname" stands for the value of hostname.
std::optional<std::string_view> setup_default(std::string_view setup, std::string_view key);

}  // namespace sternpost::config
