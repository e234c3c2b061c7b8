// The content of a message as a mailbox file holds it: local line ends, and fields of the delivery before it.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "delivery/file_system.h"
#include "mail/content_source.h"
#include "mail/status.h"

namespace sternpost::delivery {

/// Nothing, or the deferral that a failure to read or write means.
using Written = std::expected<void, mail::Reply>;

/// What is being done, for deferrals.
inline constexpr std::string_view kWriting = "writing to the mailbox";

/// Appends `content` to `out` with every CRLF as LF; all other octets as they are, lone CRs among them.
void append_with_local_line_ends(std::string_view content, std::string& out);

/// The beginning of the content with all of its header, or as much as readers of headers take; at least one
/// piece. It is in `buffer` or with the source: valid until either changes.
std::expected<std::string_view, mail::Reply> read_header(mail::ContentSource& content, std::string& buffer);

/// Writes `prefix`, which ends with LF, as it is and all of `content` with local line ends into `file`, in
/// pieces of about kWriteBytes. `buffer` is scratch space of little more, kept by the caller so that it is
/// allocated once.
inline constexpr std::size_t kWriteBytes = 256UL * 1024;
Written write_message(FileSystem& files, Handle file, std::string_view prefix, mail::ContentSource& content,
                      std::string& buffer);

}  // namespace sternpost::delivery
