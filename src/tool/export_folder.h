// A folder with exported messages: files that are whole and durable under their names, or not there.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "tool/failure.h"

namespace sternpost::tool {

class ExportFolder {
 public:
  enum class Missing : unsigned char { is_made, is_failure };

  /// Opens and locks it, against a second command at the same time. A new one is for its owner alone.
  static Outcome<ExportFolder> open(const std::string& path, Missing missing);

  /// Writes a file and syncs it; its name is durable after sync(). One that is there already is never
  /// changed: success where it is the same, else a failure.
  Outcome<void> add(const std::string& name, std::string_view content);
  /// The next piece of what is to be written, valid until the next call; empty at the end.
  using Source = std::function<Outcome<std::string_view>()>;
  /// Writes a file of which there is none yet, piece by piece; its name is durable after sync().
  Outcome<void> add_pieces(const std::string& name, const Source& source);
  /// Writes a file, over what is there, durably.
  Outcome<void> replace(const std::string& name, std::string_view content);
  /// The content of a regular file of at most `most` octets.
  [[nodiscard]] Outcome<std::string> read(const std::string& name, std::size_t most) const;
  /// Never over what is there.
  Outcome<void> rename(const std::string& from, const std::string& to);
  Outcome<void> remove(const std::string& name);
  [[nodiscard]] bool has(const std::string& name) const;
  /// All names, sorted.
  [[nodiscard]] Outcome<std::vector<std::string>> names() const;
  /// What was added and renamed is durable when this succeeds.
  Outcome<void> sync();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] std::unexpected<Failure> failed(std::string_view what, const std::string& name) const;
  Outcome<std::string> write_aside(const std::string& name, const Source& source);
  Outcome<void> write_pieces(int fd, const std::string& name, const Source& source) const;
  Outcome<std::string> write_aside(const std::string& name, std::string_view content);

  std::string path_;
  UniqueFd fd_;
};

}  // namespace sternpost::tool
