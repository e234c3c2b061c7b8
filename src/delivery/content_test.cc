#include "delivery/content.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <limits>
#include <random>
#include <vector>

#include "delivery/simulated_files.h"
#include "mail/header.h"

namespace sternpost::delivery {
namespace {

std::string converted(std::string_view content) {
  std::string out;
  append_with_local_line_ends(content, out);
  return out;
}

TEST(Content, EveryCrLfBecomesLfAndNothingElseChanges) {
  EXPECT_EQ(converted("a\r\nb\r\n"), "a\nb\n");
  EXPECT_EQ(converted("a\rb\nc\r"), "a\rb\nc\r");
  EXPECT_EQ(converted("\r\r\n\r\n\n"), "\r\n\n\n");
  EXPECT_EQ(converted(std::string_view("\0\r\n\xFF", 4)), std::string("\0\n\xFF", 3));
  EXPECT_EQ(converted(""), "");
}

/// Content that is given in the pieces that a test wants, and cannot be had from one of them on.
class Pieces final : public mail::ContentSource {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}

  void rewind() override { next_ = 0; }
  Result<std::string_view> next() override {
    if (next_ == fails_at) return fail(ErrorClass::temporary, "reading: Input/output error", EIO);
    ++given;
    return pieces_.at(next_++);
  }
  [[nodiscard]] bool ended() const override { return next_ == pieces_.size(); }

  std::size_t fails_at = std::numeric_limits<std::size_t>::max();
  std::size_t given = 0;

 private:
  std::vector<std::string> pieces_;
  std::size_t next_ = 0;
};

std::vector<std::string> cut(std::string_view content, std::mt19937_64& random, std::size_t longest) {
  std::vector<std::string> pieces;
  do {
    pieces.emplace_back(content.substr(0, 1 + random() % longest));
    content.remove_prefix(pieces.back().size());
  } while (!content.empty());
  return pieces;
}

/// Content with many line ends, whole and bare.
std::string lines(std::mt19937_64& random, std::size_t bytes) {
  constexpr std::string_view kAlphabet = "\r\n\r\nab";
  std::string content(bytes, 'x');
  for (auto& c : content) c = kAlphabet[random() % kAlphabet.size()];
  return content;
}

TEST(Content, ThatComesInPiecesIsWrittenAsIfInOne) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 400; ++round) {
    const auto content = round % 20 == 0 ? lines(random, 2 * kWriteBytes) : lines(random, random() % 60);
    Pieces pieces(cut(content, random, round % 20 == 0 ? 1000 : 4));
    SimulatedFiles files;
    const auto file = *files.create(SimulatedFiles::kRoot, "f");
    std::string buffer;
    ASSERT_TRUE(write_message(files, file, "P: x\r\n", pieces, buffer));
    ASSERT_TRUE(files.at("f")->bytes == "P: x\r\n" + converted(content)) << "round " << round;
  }
}

TEST(Content, ALongMessageIsWrittenInPiecesOfItsOwnAtEachBorder) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    std::string content(kWriteBytes - 5 + random() % (2 * kWriteBytes), 'x');
    for (auto at = kWriteBytes - 6; at < content.size() && at < kWriteBytes + 6; ++at) {
      content[at] = "\r\n\r\nab"[random() % 6];
    }
    SimulatedFiles files;
    const auto file = *files.create(SimulatedFiles::kRoot, "f");
    files.log.clear();
    std::string buffer;
    mail::ContentInMemory source(content);
    ASSERT_TRUE(write_message(files, file, "P: x\n", source, buffer));
    ASSERT_TRUE(files.at("f")->bytes == "P: x\n" + converted(content)) << "round " << round;
    EXPECT_LE(files.calls(), content.size() / kWriteBytes + 1);
    EXPECT_LE(buffer.capacity(), 2 * (kWriteBytes + mail::ContentSource::kPieceBytes));
  }
}

TEST(Content, ASmallMessageIsOneWrite) {
  SimulatedFiles files;
  const auto file = *files.create(SimulatedFiles::kRoot, "f");
  files.log.clear();
  std::string buffer;
  mail::ContentInMemory content("body\r\n");
  ASSERT_TRUE(write_message(files, file, "P: x\n", content, buffer));
  EXPECT_EQ(files.calls(), 1U);
}

TEST(Content, ThatCannotBeReadIsDeferred) {
  SimulatedFiles files;
  const auto file = *files.create(SimulatedFiles::kRoot, "f");
  std::string buffer;
  Pieces pieces({"A: b\r\n", "\r\n", "body"});
  pieces.fails_at = 2;
  const auto written = write_message(files, file, "P: x\n", pieces, buffer);
  ASSERT_FALSE(written);
  EXPECT_EQ(mail::to_string(written.error()), "451 4.3.0 reading: Input/output error");
  pieces.fails_at = 0;
  EXPECT_FALSE(read_header(pieces, buffer));
}

TEST(Header, IsReadAsFarAsItsEmptyLineWhereverThatIsCut) {
  const std::string content = "A: b\r\nC: d\r\n\r\nbody\r\n";
  for (std::size_t first = 1; first < content.size() - 1; ++first) {
    Pieces pieces({content.substr(0, first), content.substr(first, 1), content.substr(first + 1), "rest"});
    std::string buffer;
    const auto header = read_header(pieces, buffer);
    ASSERT_TRUE(header);
    EXPECT_TRUE(header->starts_with("A: b\r\nC: d\r\n\r\n")) << first;
    EXPECT_LT(pieces.given, 4U) << "the body is not needed";
  }
}

TEST(Header, WithoutEndIsReadAsFarAsReadersOfHeadersGo) {
  const std::string line = "A: " + std::string(60'000, 'x') + "\r\n";
  Pieces pieces(std::vector<std::string>(100, line));
  std::string buffer;
  const auto header = read_header(pieces, buffer);
  ASSERT_TRUE(header);
  EXPECT_GE(header->size(), mail::HeaderBounds{}.max_bytes);
  EXPECT_LT(header->size(), mail::HeaderBounds{}.max_bytes + line.size());
}

}  // namespace
}  // namespace sternpost::delivery
