// The compartments, by the names of the plan (docs/architecture.md section 2).
#pragma once

#include <optional>
#include <string_view>

#include "base/codec.h"

namespace sternpost {

enum class Compartment : unsigned char {
  master,
  config,
  smtpd,
  spool,
  qmgr,
  router,
  users,
  virtual_mailbox,
  log,
  admin,
  dns,
  smtp,
  bounce,
};

template <>
inline constexpr unsigned kEnumBound<Compartment> = 13;

inline constexpr unsigned kCompartments = kEnumBound<Compartment>;

/// The name as it stands in the plan, in records and in libexec: "smtpd", "virtual".
std::string_view to_string(Compartment compartment);

std::optional<Compartment> parse_compartment(std::string_view name);

}  // namespace sternpost
