// A FileSystem for tests: it forgets and tears what was not synced, fails calls, and crashes at any of them.
#pragma once

#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "delivery/file_system.h"

namespace sternpost::delivery {

class SimulatedFiles final : public FileSystem {
 public:
  /// Thrown at the call that was chosen to be the last.
  struct Crash {};

  struct Node {
    bool is_directory = false;
    std::string bytes, durable_bytes;
    std::map<std::string, std::shared_ptr<Node>> entries, durable_entries;
    WallTime modified;
    std::uint64_t device = 1;
  };
  using NodePtr = std::shared_ptr<Node>;

  SimulatedFiles() : root_(directory()) { handles_.push_back(root_); }

  static constexpr Handle kRoot = 0;

  // What tests set and see.
  std::optional<std::uint64_t> crash_at;         ///< the call with this number throws
  std::map<std::uint64_t, int> failures;         ///< the call with this number fails with this errno
  std::map<std::string, int> failing_calls;      ///< every call of this name fails with this errno
  std::map<std::uint64_t, int> failing_devices;  ///< syncfs of this device fails with this errno
  std::vector<std::string> log;                  ///< names of the calls made
  std::vector<std::uint64_t> synced_devices;     ///< by syncfs, in order
  WallTime now{1'000'000'000'000};

  [[nodiscard]] std::uint64_t calls() const { return log.size(); }
  [[nodiscard]] NodePtr at(const std::string& path) const {
    NodePtr node = root_;
    for (std::size_t from = 0; node && from < path.size();) {
      const auto slash = std::min(path.find('/', from), path.size());
      const auto found = node->entries.find(path.substr(from, slash - from));
      node = found == node->entries.end() ? nullptr : found->second;
      from = slash + 1;
    }
    return node;
  }
  [[nodiscard]] std::size_t open_handles() const {
    std::size_t open = 0;
    for (const auto& node : handles_) open += node != nullptr;
    return open - 1;
  }
  NodePtr add_file(const NodePtr& parent, const std::string& name, std::string bytes) {
    auto node = std::make_shared<Node>();
    node->bytes = std::move(bytes);
    node->device = parent->device;
    parent->entries[name] = node;
    parent->modified = now;
    return node;
  }

  /// A folder in the root, durably there, that is a file system of its own.
  void mount(const std::string& name, std::uint64_t device) {
    auto folder = directory();
    folder->device = device;
    root_->entries[name] = folder;
    root_->durable_entries[name] = folder;
  }

  /// The process died: what the kernel has stays.
  void restart_process() {
    crash_at.reset();
    handles_.assign(1, root_);
  }
  /// The machine died: of what was not synced, each change of a folder and each end of a file is there or
  /// not.
  void restart_machine(std::mt19937_64& random) {
    restart_process();
    lose(*root_, random);
  }

  FileResult<Handle> open_directory(Handle parent, const std::string& name) override {
    if (auto error = called("open_directory")) return std::unexpected(*error);
    const auto at = node(parent).entries.find(name);
    if (at == node(parent).entries.end()) return std::unexpected(Errno{ENOENT});
    if (!at->second->is_directory) return std::unexpected(Errno{ENOTDIR});
    return opened(at->second);
  }
  FileResult<void> make_directory(Handle parent, const std::string& name) override {
    if (auto error = called("make_directory")) return std::unexpected(*error);
    if (node(parent).entries.contains(name)) return std::unexpected(Errno{EEXIST});
    node(parent).entries[name] = directory();
    node(parent).entries[name]->device = node(parent).device;
    return {};
  }
  FileResult<Handle> create(Handle parent, const std::string& name) override {
    if (auto error = called("create")) return std::unexpected(*error);
    if (node(parent).entries.contains(name)) return std::unexpected(Errno{EEXIST});
    return opened(add_file(handles_[static_cast<std::size_t>(parent)], name, ""));
  }
  FileResult<void> write(Handle file, std::string_view bytes) override {
    if (auto error = called("write")) {
      node(file).bytes.append(bytes.substr(0, bytes.size() / 2));
      return std::unexpected(*error);
    }
    node(file).bytes.append(bytes);
    return {};
  }
  FileResult<void> sync(Handle handle) override {
    if (auto error = called("sync")) return std::unexpected(*error);
    node(handle).durable_bytes = node(handle).bytes;
    node(handle).durable_entries = node(handle).entries;
    return {};
  }
  FileResult<void> sync_all(Handle handle) override {
    if (auto error = called("sync_all")) return std::unexpected(*error);
    const auto device = node(handle).device;
    synced_devices.push_back(device);
    if (failing_devices.contains(device)) return std::unexpected(Errno{failing_devices.at(device)});
    sync_tree(*root_, device);
    return {};
  }
  FileResult<std::uint64_t> device(Handle handle) override {
    if (auto error = called("device")) return std::unexpected(*error);
    return node(handle).device;
  }
  FileResult<void> rename(Handle from, const std::string& name, Handle to) override {
    if (auto error = called("rename")) return std::unexpected(*error);
    if (node(from).device != node(to).device) return std::unexpected(Errno{EXDEV});
    auto moved = node(from).entries.extract(name);
    if (moved.empty()) return std::unexpected(Errno{ENOENT});
    node(to).entries[name] = moved.mapped();
    node(to).modified = now;
    return {};
  }
  FileResult<void> remove(Handle directory, const std::string& name) override {
    if (auto error = called("remove")) return std::unexpected(*error);
    if (node(directory).entries.erase(name) == 0) return std::unexpected(Errno{ENOENT});
    return {};
  }
  FileResult<bool> exists(Handle directory, const std::string& name) override {
    if (auto error = called("exists")) return std::unexpected(*error);
    return node(directory).entries.contains(name);
  }
  FileResult<bool> has_flagged(Handle directory, const std::string& name) override {
    if (auto error = called("has_flagged")) return std::unexpected(*error);
    for (const auto& [found, node_ptr] : node(directory).entries) {
      if (found == name || found.starts_with(name + ":")) return true;
    }
    return false;
  }
  FileResult<WallTime> modified(Handle directory) override {
    if (auto error = called("modified")) return std::unexpected(*error);
    return node(directory).modified;
  }
  void close(Handle handle) override {
    if (static_cast<std::size_t>(handle) < handles_.size())
      handles_[static_cast<std::size_t>(handle)] = nullptr;
  }

 private:
  static NodePtr directory() {
    auto node = std::make_shared<Node>();
    node->is_directory = true;
    return node;
  }

  Node& node(Handle handle) { return *handles_.at(static_cast<std::size_t>(handle)); }

  Handle opened(const NodePtr& node) {
    handles_.push_back(node);
    return static_cast<Handle>(handles_.size() - 1);
  }

  std::optional<Errno> called(const std::string& name) {
    if (crash_at && log.size() >= *crash_at) throw Crash{};
    const auto number = log.size();
    log.push_back(name);
    if (const auto at = failures.find(number); at != failures.end()) return Errno{at->second};
    if (const auto at = failing_calls.find(name); at != failing_calls.end()) return Errno{at->second};
    return std::nullopt;
  }

  static void sync_tree(Node& node, std::uint64_t device) {
    if (node.device == device) {
      node.durable_bytes = node.bytes;
      node.durable_entries = node.entries;
    }
    for (const auto& [name, child] : node.entries) sync_tree(*child, device);
  }

  static void lose(Node& node, std::mt19937_64& random) {
    if (node.bytes.size() > node.durable_bytes.size()) {
      const auto kept =
          node.durable_bytes.size() + random() % (node.bytes.size() - node.durable_bytes.size() + 1);
      node.bytes.resize(kept);
    }
    node.durable_bytes = node.bytes;
    auto both = node.entries;
    both.insert(node.durable_entries.begin(), node.durable_entries.end());
    for (const auto& [name, child] : both) {
      const bool now = node.entries.contains(name);
      const bool then = node.durable_entries.contains(name);
      const bool stays = now == then ? now : random() % 2 == 0;
      if (stays) {
        node.entries[name] = child;
      } else {
        node.entries.erase(name);
      }
    }
    node.durable_entries = node.entries;
    for (const auto& [name, child] : node.entries) lose(*child, random);
  }

  NodePtr root_;
  std::vector<NodePtr> handles_;
};

}  // namespace sternpost::delivery
