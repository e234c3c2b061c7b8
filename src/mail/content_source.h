// The content of a message, piece by piece: the same for what is in memory and for what lies in a file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace sternpost::mail {

/// Read from the first octet to the last, as often as is needed.
class ContentSource {
 public:
  static constexpr std::size_t kPieceBytes = 64UL * 1024;

  virtual ~ContentSource() = default;

  /// The first piece is next.
  virtual void rewind() = 0;
  /// The next octets, at most kPieceBytes, none where there is no content; valid until the next call that is
  /// not const. An error where they cannot be had. The last piece is given only where all that was given
  /// since rewind() is the content as it was stored. Not after ended() or an error.
  virtual Result<std::string_view> next() = 0;
  /// The piece given last was the last.
  [[nodiscard]] virtual bool ended() const = 0;
};

/// Content in memory, where nothing can fail.
class ContentInMemory final : public ContentSource {
 public:
  explicit ContentInMemory(std::string content) : content_(std::move(content)) {}

  void rewind() override { given_ = 0; }
  Result<std::string_view> next() override {
    const auto piece = std::string_view(content_).substr(given_, kPieceBytes);
    given_ += piece.size();
    return piece;
  }
  [[nodiscard]] bool ended() const override { return given_ == content_.size(); }

 private:
  std::string content_;
  std::size_t given_ = 0;
};

}  // namespace sternpost::mail
