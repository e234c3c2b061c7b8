// What the sanitizers' runtime must know in a confined process. Linked into the compartments of sanitizer
// builds only, because they inherit no environment that could say it.

/// The search for leaks at the end of a process stops its threads by ptrace, which no compartment may call;
/// unit tests search for them. Symbols would have to be read from files: llvm-symbolizer tells them from the
/// addresses.
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier): the runtime's name
  return "detect_leaks=0:symbolize=0:detect_stack_use_after_return=1:strict_string_checks=1";
}
