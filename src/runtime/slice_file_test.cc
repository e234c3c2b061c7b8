#include "runtime/slice_file.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace sternpost {
namespace {

TEST(slice_file, returns_what_was_put_in_and_cannot_be_changed) {
  const auto fd = make_slice_file("slice");
  ASSERT_TRUE(fd);
  EXPECT_EQ(read_slice_file(fd->get()).value(), "slice");
  EXPECT_LT(::pwrite(fd->get(), "x", 1, 0), 0);
  EXPECT_NE(::ftruncate(fd->get(), 0), 0);
}

TEST(slice_file, refuses_a_file_that_is_not_sealed) {
  const UniqueFd fd(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_FALSE(read_slice_file(fd.get()));
}

TEST(slice_file, refuses_more_than_its_bound) {
  const auto fd = make_slice_file(std::string(kMaxSliceBytes + 1, 'x'));
  ASSERT_TRUE(fd);
  EXPECT_FALSE(read_slice_file(fd->get()));
}

}  // namespace
}  // namespace sternpost
