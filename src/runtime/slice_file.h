// Slices travel as sealed memory files: nobody can change one after it was checked.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sternpost {

/// The most bytes of a slice: a list of 10,000 mailboxes with long names.
inline constexpr std::size_t kMaxSliceBytes = 16UL << 20U;

/// A memory file that holds `bytes` and can no longer be changed.
[[nodiscard]] Result<UniqueFd> make_slice_file(std::string_view bytes);

/// The content of a slice file; refused where it is too large or not sealed.
[[nodiscard]] Result<std::string> read_slice_file(int fd);

}  // namespace sternpost
