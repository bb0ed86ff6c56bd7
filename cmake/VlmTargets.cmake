# Helpers that every CMakeLists.txt of the project uses. Sources are listed, never globbed.

find_program(VLM_CCACHE ccache)
if(VLM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # sloppiness: the precompiled header of the trainer is only usable with these two.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros ${VLM_CCACHE})
endif()
find_program(VLM_LLD ld.lld)
if(VLM_LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_library(vlm_warnings INTERFACE)
target_compile_options(vlm_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion
                       -Wno-sign-conversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(vlm_warnings INTERFACE -Wthread-safety)
endif()
if(VLM_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # GCC 12 sees uninitialized values that are not (std::regex, std::optional) once sanitizer calls
  # are in between.
  target_compile_options(vlm_warnings INTERFACE -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=address,undefined)
elseif(VLM_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  target_compile_options(vlm_warnings INTERFACE -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=thread)
endif()

# vlm_library(NAME name SRCS a.cc ... [DEPS target ...] [PRIVATE_DEPS target ...])
# A static library with our warnings; includes start at the repository's root.
function(vlm_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SRCS)
    add_library(${ARG_NAME} STATIC ${ARG_SRCS})
    target_include_directories(${ARG_NAME} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${ARG_NAME} PUBLIC ${ARG_DEPS} PRIVATE vlm_warnings ${ARG_PRIVATE_DEPS})
  else()
    add_library(${ARG_NAME} INTERFACE)
    target_include_directories(${ARG_NAME} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${ARG_NAME} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

# Everything that is installed, and nothing else.
add_custom_target(vlm_programs)

# vlm_executable(NAME name SRCS main.cc [DEPS target ...]): a program in build/<preset>/bin.
function(vlm_executable)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PRIVATE vlm_warnings ${ARG_DEPS})
  install(TARGETS ${ARG_NAME} RUNTIME DESTINATION bin)
  add_dependencies(vlm_programs ${ARG_NAME})
endfunction()

# vlm_test(NAME name SRCS x_test.cc [DEPS target ...] [LABELS unit|contract|cluster|parity|slow ...]
#          [TIMEOUT seconds] [ENV K=V ...]): one GoogleTest program, one ctest entry.
function(vlm_test)
  cmake_parse_arguments(ARG "" "NAME;TIMEOUT" "SRCS;DEPS;LABELS;ENV" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PRIVATE vlm_warnings ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  # GCC 12 sees an overlap in GoogleTest's own string concatenation (GCC bug 105651).
  target_compile_options(${ARG_NAME} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test-bin)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if("tsan" IN_LIST ARG_LABELS)
    add_dependencies(vlm_tsan_tests ${ARG_NAME})
  endif()
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "VLM_BIN_DIR=${CMAKE_BINARY_DIR}/bin;VLM_SOURCE_DIR=${CMAKE_SOURCE_DIR};LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/lsan.supp:print_suppressions=0;${ARG_ENV}")
endfunction()
