#include "config/setups.h"

#include <algorithm>

namespace sternpost::config {
namespace {

struct SetupDefault {
  std::string_view setup;
  std::string_view key;
  std::string_view text;
};

// The registry's own defaults are those of an internet site.
constexpr SetupDefault kDefaults[] = {
    {"local-only", "domains", "$hostname"},    {"local-only", "smtp.listen", "127.0.0.1:25 [::1]:25"},
    {"local-only", "smtp.workers", "1"},       {"local-only", "smtp.max_message", "10 MiB"},
    {"local-only", "spool.segment", "32 MiB"}, {"local-only", "spool.spare_segments", "2"},
    {"local-only", "spool.max_size", "1 GiB"}, {"local-only", "spool.max_buffered", "64 MiB"},
};

}  // namespace

std::optional<std::string_view> setup_default(std::string_view setup, std::string_view key) {
  const auto* found = std::ranges::find_if(
      kDefaults, [&](const SetupDefault& d) { return d.setup == setup && d.key == key; });
  if (found == std::end(kDefaults)) return std::nullopt;
  return found->text;
}

}  // namespace sternpost::config
