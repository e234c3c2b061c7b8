// Makes one test of each dialog file, and runs it with its octets delivered in groups and one by one.
#include "dialog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "dialog_runner.h"

namespace sternpost::dialogs {
namespace {

class DialogTest : public testing::Test {
 public:
  explicit DialogTest(std::filesystem::path file) : file_(std::move(file)) {}

  void TestBody() override {
    std::ifstream in(file_, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const auto dialog = parse_dialog(text);
    ASSERT_FALSE(dialog.steps.empty()) << file_;
    run(dialog, Delivery::grouped, "lines together");
    if (!Runner::grouped_only(dialog)) run(dialog, Delivery::octets, "one octet at a time");
  }

 private:
  void run(const Dialog& dialog, Delivery delivery, const char* how) {
    if (const auto wrong = Runner(delivery).run(dialog))
      ADD_FAILURE() << file_.string() << " (" << how << "), " << *wrong;
  }

  std::filesystem::path file_;
};

std::vector<std::filesystem::path> dialog_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(DIALOG_FOLDER)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace
}  // namespace sternpost::dialogs

int main(int argc, char** argv) {
  using namespace sternpost::dialogs;
  testing::InitGoogleTest(&argc, argv);
  const auto files = dialog_files();
  if (files.empty()) {
    std::cerr << "no dialogs in " DIALOG_FOLDER "\n";
    return 1;
  }
  for (const auto& file : files) {
    testing::RegisterTest(
        "dialog", file.stem().c_str(), nullptr, nullptr, file.c_str(), __LINE__, [file]() -> testing::Test* {
          return new DialogTest(file);  // NOLINT(cppcoreguidelines-owning-memory): gtest owns it
        });
  }
  return RUN_ALL_TESTS();
}
