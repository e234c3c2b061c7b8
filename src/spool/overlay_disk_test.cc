#include "spool/overlay_disk.h"

#include <sys/stat.h>

#include <filesystem>
#include <iterator>
#include <map>
#include <sstream>

#include "spool/engine_test_rig.h"

namespace sternpost::spool {
namespace {

class overlay_disk : public EngineRig {
 protected:
  /// What of each file a reader must leave alone: content and time of change.
  [[nodiscard]] std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> files() const {
    std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      std::ostringstream content;
      content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      all[entry.path().filename()] = {content.str(), std::filesystem::last_write_time(entry.path())};
    }
    return all;
  }
  [[nodiscard]] PosixDisk for_reading() const {
    return PosixDisk(UniqueFd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY)), PosixDisk::Access::read);
  }
};

TEST_F(overlay_disk, lets_a_spool_be_opened_and_written_without_touching_its_files) {
  const auto id = add("content\r\n");
  maintain_all();
  engine_.reset();
  std::ofstream(folder_ + "/segment-0007").flush();  // a file whose preparation was cut short
  ::chmod(folder_.c_str(), 0500);
  const auto before = files();
  auto below = for_reading();
  for (int life = 0; life < 2; ++life) {
    OverlayDisk overlay(below);
    auto opened = Engine::open(overlay, clock_, options_);
    ASSERT_TRUE(opened) << opened.error().text;
    engine_ = std::move(*opened);
    EXPECT_EQ(engine_->read_content(id), "content\r\n");
    EXPECT_EQ(engine_->stats().live, 1U) << "what another life wrote was in memory alone";
    const auto other = add("more\r\n");
    maintain_all();
    EXPECT_EQ(engine_->read_content(other), "more\r\n");
    engine_.reset();
  }
  ::chmod(folder_.c_str(), 0700);
  EXPECT_EQ(files(), before);
}

TEST_F(overlay_disk, keeps_no_descriptor_of_what_was_only_read) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  auto below = for_reading();
  OverlayDisk overlay(below);
  for (int i = 0; i < 10; ++i) std::ofstream(folder_ + "/content-" + std::to_string(i)) << "content";
  const auto before = descriptors();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(overlay.open_existing("content-" + std::to_string(i)));
  EXPECT_EQ(descriptors(), before);
}

TEST_F(overlay_disk, gives_back_what_was_written_over_what_is_below) {
  engine_.reset();
  std::ofstream(folder_ + "/file") << std::string(5000, 'a');
  auto below = for_reading();
  OverlayDisk overlay(below);
  auto file = overlay.open("file");
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write(4000, std::string(200, 'b')));
  ASSERT_TRUE((*file)->write(9000, "c"));
  EXPECT_EQ((*file)->size(), 9001U);
  std::string bytes(10'000, '?');
  EXPECT_EQ((*overlay.open("file").value()).read(0, bytes), 9001U) << "all who have it open see the same";
  EXPECT_EQ(bytes, std::string(4000, 'a') + std::string(200, 'b') + std::string(800, 'a') +
                       std::string(4000, '\0') + "c" + std::string(999, '?'));
  ASSERT_TRUE((*file)->clear());
  EXPECT_EQ((*file)->size(), 0U);
  ASSERT_TRUE((*file)->write(10, "d"));
  std::string after(11, '?');
  EXPECT_EQ((*file)->read(0, after), 11U);
  EXPECT_EQ(after, std::string(10, '\0') + "d") << "what was cleared does not come back from below";
}

TEST_F(overlay_disk, makes_files_in_memory) {
  engine_.reset();
  auto below = for_reading();
  OverlayDisk overlay(below);
  ASSERT_TRUE(overlay.open("fresh").value()->write(0, "x"));
  const auto names = overlay.list().value();
  EXPECT_NE(std::ranges::find(names, "fresh"), names.end());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/fresh"));
}

}  // namespace
}  // namespace sternpost::spool
