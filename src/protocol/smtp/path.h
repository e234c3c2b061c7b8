// The arguments of MAIL and RCPT (RFC 5321 section 4.1.2): a path in angle brackets and ESMTP parameters.
#pragma once

#include <optional>
#include <string_view>

#include "mail/address.h"

namespace sternpost::smtp {

struct PathArgument {
  std::string_view inside;      ///< between the angle brackets, without a source route; empty for "<>"
  std::string_view parameters;  ///< what follows, without white space around it
};

/// Splits "FROM:<…> …" at `keyword` ("FROM:" or "TO:", in any case; white space after it is tolerated).
/// Brackets in quoted strings do not count. A source route is checked and dropped (RFC 5321 appendix C).
/// Nothing where the syntax is wrong.
std::optional<PathArgument> split_path(std::string_view argument, std::string_view keyword);

struct Parameter {
  std::string_view keyword;
  std::optional<std::string_view> value;
};

/// Takes the first esmtp-param off `parameters`; nothing where its syntax is wrong or there is none.
std::optional<Parameter> take_parameter(std::string_view& parameters);

}  // namespace sternpost::smtp
