#include "runtime/agent/content_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace sternpost {
namespace {

SharedFd file_of(std::string_view bytes) {
  auto fd = std::make_shared<const UniqueFd>(::memfd_create("content", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(fd->get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return fd;
}

spool_agent::ContentFile stored(std::string_view bytes) {
  return {bytes.size(), checksum(bytes, 0)};
}

std::string content_of(std::size_t bytes) {
  std::string content(bytes, 'x');
  for (std::size_t i = 0; i < bytes; i += 1000) content[i] = static_cast<char>('a' + i / 1000 % 26);
  return content;
}

/// All that is given before the end or an error.
std::string read(mail::ContentSource& source, std::string& error) {
  std::string all;
  source.rewind();
  do {
    const auto piece = source.next();
    if (!piece) {
      error = piece.error().text;
      break;
    }
    EXPECT_LE(piece->size(), mail::ContentSource::kPieceBytes);
    all += *piece;
  } while (!source.ended());
  return all;
}

constexpr auto kPiece = mail::ContentSource::kPieceBytes;

TEST(content_file, gives_all_of_it_in_pieces_as_often_as_asked) {
  for (const auto bytes : {0UL, 1UL, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece, 5 * kPiece + 77}) {
    const auto content = content_of(bytes);
    ContentFile file(file_of(content), stored(content));
    std::string error;
    EXPECT_TRUE(read(file, error) == content) << bytes;
    EXPECT_TRUE(read(file, error) == content) << bytes;
    EXPECT_EQ(error, "");
  }
}

TEST(content_file, begins_anew_in_the_middle) {
  const auto content = content_of(2 * kPiece);
  ContentFile file(file_of(content), stored(content));
  ASSERT_TRUE(file.next());
  std::string error;
  EXPECT_TRUE(read(file, error) == content);
  EXPECT_EQ(error, "");
}

TEST(content_file, is_read_by_several_at_once) {
  const auto content = content_of(3 * kPiece);
  const auto fd = file_of(content);
  ContentFile one(fd, stored(content));
  ContentFile other(fd, stored(content));
  ASSERT_TRUE(one.next());
  std::string error;
  EXPECT_TRUE(read(other, error) == content);
  std::string rest;
  while (!one.ended()) rest += one.next().value();
  EXPECT_TRUE(rest == content.substr(kPiece));
}

TEST(content_file, does_not_give_the_last_piece_of_what_is_too_short_or_damaged) {
  const auto content = content_of(2 * kPiece + 10);
  std::string error;

  ContentFile cut(file_of(content.substr(0, content.size() - 1)), stored(content));
  EXPECT_EQ(read(cut, error).size(), 2 * kPiece);
  EXPECT_EQ(error, "the content of the message ends after 131081 of 131082 bytes");
  cut.rewind();
  ASSERT_TRUE(cut.next());
  ASSERT_TRUE(cut.next());
  EXPECT_TRUE(to_unreadable(7, cut.next().error())->damaged);

  for (const auto at : {std::size_t{0}, kPiece, content.size() - 1}) {
    auto changed = content;
    changed[at] ^= 1;
    ContentFile damaged(file_of(changed), stored(content));
    EXPECT_EQ(read(damaged, error).size(), 2 * kPiece);
    EXPECT_EQ(error, "the content of the message is damaged: its checksum is wrong");
  }

  ContentFile nothing(file_of(""), {0, checksum("", 0) + 1});
  error.clear();
  EXPECT_EQ(read(nothing, error), "");
  EXPECT_NE(error, "");
}

TEST(content_file, longer_than_stored_is_read_as_far_as_it_was_stored) {
  const auto content = content_of(kPiece);
  ContentFile file(file_of(content + "more"), stored(content));
  std::string error;
  EXPECT_TRUE(read(file, error) == content);
  EXPECT_EQ(error, "");
}

TEST(content_file, tells_of_an_input_output_error) {
  // What no process has at the address 0 cannot be read, and the kernel says EIO.
  const auto memory = std::make_shared<const UniqueFd>(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  ContentFile file(memory, {100, 0});
  const auto piece = file.next();
  ASSERT_FALSE(piece);
  EXPECT_EQ(piece.error().errno_value, EIO);
  EXPECT_EQ(piece.error().text, "reading the content of the message: Input/output error");
  const auto told = to_unreadable(7, piece.error());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->job, 7U);
  EXPECT_EQ(told->why, piece.error().text);
  EXPECT_FALSE(told->damaged) << "spool is to try again";
}

TEST(content_file, may_be_readable_later_where_there_was_no_descriptor_for_it) {
  ContentFile file(std::make_shared<const UniqueFd>(), {100, 0});
  const auto piece = file.next();
  ASSERT_FALSE(piece);
  EXPECT_EQ(piece.error().text, "no descriptor was left for the content of the message");
  EXPECT_FALSE(to_unreadable(7, piece.error()));
}

TEST(content_file, or_memory_is_what_a_job_has) {
  const auto content = content_of(100);
  WaitingJob in_memory;
  in_memory.content = content;
  WaitingJob in_file;
  in_file.job.file = stored(content);
  in_file.job.descriptor = file_of(content);
  for (auto* job : {&in_memory, &in_file}) {
    std::string error;
    EXPECT_EQ(read(*take_content(*job), error), content);
    EXPECT_EQ(error, "");
  }
  EXPECT_FALSE(in_file.job.descriptor);
}

}  // namespace
}  // namespace sternpost
