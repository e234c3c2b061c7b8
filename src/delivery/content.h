// The content of a message as a mailbox file holds it: local line ends, and fields of the delivery before it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "delivery/file_system.h"

namespace sternpost::delivery {

/// Appends `content` to `out` with every CRLF as LF; all other octets as they are, lone CRs among them.
void append_with_local_line_ends(std::string_view content, std::string& out);

/// Writes `prefix` as it is and `content` with local line ends into `file`, in pieces of about kWriteBytes.
/// `buffer` is scratch space, kept by the caller so that it is allocated once.
inline constexpr std::size_t kWriteBytes = 256UL * 1024;
FileResult<void> write_message(FileSystem& files, Handle file, std::string_view prefix,
                               std::string_view content, std::string& buffer);

}  // namespace sternpost::delivery
