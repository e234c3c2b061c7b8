#include "runtime/compartment.h"

#include <array>

namespace sternpost {
namespace {

constexpr std::array<std::string_view, kCompartments> kNames = {
    "master",  "config", "smtpd", "spool", "qmgr", "router", "users",
    "virtual", "log",    "admin", "dns",   "smtp", "bounce"};

}  // namespace

std::string_view to_string(Compartment compartment) {
  return kNames[static_cast<unsigned>(compartment)];
}

std::optional<Compartment> parse_compartment(std::string_view name) {
  for (unsigned i = 0; i < kCompartments; ++i) {
    if (kNames[i] == name) return static_cast<Compartment>(i);
  }
  return std::nullopt;
}

}  // namespace sternpost
