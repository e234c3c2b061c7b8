// Whom a warning of delay is for: people who wait for an answer, not programs and lists.
#pragma once

#include <string_view>

#include "mail/address.h"

namespace sternpost::mail {

/// Whether the sender of a message with this content is to be told of a delay. Not where nobody would read
/// it: a null reverse-path, mail that no person sent (Auto-Submitted, RFC 3834 section 5), mass mail and
/// lists (Precedence; List-Id, RFC 2919). Reads the header alone, within the bounds of HeaderReader.
bool should_warn(const ReversePath& reverse_path, std::string_view content);

}  // namespace sternpost::mail
