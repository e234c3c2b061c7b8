// The parts of a delivery status notification, which delivery_status.cc puts together. For that file only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mail/delivery_status.h"

namespace sternpost::mail {

/// Which part of a header is returned.
struct ReturnedHeader {
  std::string_view text;  ///< into the content
  bool cut = false;       ///< the header is longer
};

/// The text for people: 7bit, lines wrapped at 76 columns where their words allow it.
std::string notice_text(const NoticeFacts& facts, const ReturnedHeader& header);

/// The body of message/delivery-status: fields of the message, then of each recipient.
std::string notice_report(const NoticeFacts& facts);

/// One line of printable ASCII from any octets: what is not becomes '?', so that nobody writes fields or
/// lines of ours. Of more than `most` octets the beginning is given, followed by "...".
std::string one_line(std::string_view text, std::size_t most);

/// Our hostname as it may stand in a field: at most 255 octets.
std::string host_text(std::string_view host);

/// The address as it goes into fields and text. The bare <postmaster> is given our hostname: both want a
/// domain.
std::string address_text(const Mailbox& address, const NoticeFacts& facts);

/// The reply on one line; empty where there is none.
std::string reply_text(const Reply& reply);

/// Appends `text`, of which the first line begins at `column`, breaking lines at spaces before column 76; a
/// further line begins with `next_line` in place of the space. A longer word is left whole.
void append_wrapped(std::string& out, std::string_view text, std::size_t column, std::string_view next_line);

}  // namespace sternpost::mail
