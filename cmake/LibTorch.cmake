# LibTorch out of the PyPI wheel: two imported libraries, no find_package(Torch) (that one insists on
# a CUDA toolkit). Linking libtorch.so would pull in 1 GB of CUDA; only torch_cpu and c10 are linked.
if(NOT VLM_TORCH_DIR)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(VLM_TORCH_DIR "$ENV{XDG_CACHE_HOME}/vlmctl/libtorch-2.15.0")
  else()
    set(VLM_TORCH_DIR "$ENV{HOME}/.cache/vlmctl/libtorch-2.15.0")
  endif()
endif()
set(VLM_TORCH ${VLM_TORCH_DIR}/torch)
if(NOT EXISTS ${VLM_TORCH}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is not in ${VLM_TORCH_DIR}: run 'make deps', or set VLM_TORCH_DIR "
          "to a folder that holds torch/lib/libtorch_cpu.so, or configure with -DVLM_BUILD_TRAINER=OFF")
endif()

add_library(c10 SHARED IMPORTED)
set_target_properties(c10 PROPERTIES IMPORTED_LOCATION ${VLM_TORCH}/lib/libc10.so)
add_library(torch_cpu SHARED IMPORTED)
set_target_properties(torch_cpu PROPERTIES IMPORTED_LOCATION ${VLM_TORCH}/lib/libtorch_cpu.so)

# -idirafter: the wheel carries fmt 12 and protobuf headers that must not hide Debian's.
add_library(vlm_torch INTERFACE)
target_compile_definitions(vlm_torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO USE_KINETO)
target_compile_options(vlm_torch INTERFACE
  "SHELL:-idirafter ${VLM_TORCH}/include"
  "SHELL:-idirafter ${VLM_TORCH}/include/torch/csrc/api/include"
  "SHELL:-idirafter ${VLM_TORCH}/include/kineto")
target_link_libraries(vlm_torch INTERFACE torch_cpu c10 Threads::Threads)
target_link_options(vlm_torch INTERFACE "LINKER:-rpath,${VLM_TORCH}/lib" "LINKER:--allow-shlib-undefined")

# torch/torch.h takes 20 s and 1.4 GB to compile, so every file of the trainer shares one precompiled
# copy of it. -fpch-preprocess lets ccache work with it.
file(WRITE ${CMAKE_BINARY_DIR}/torch_pch/torch_pch.cc "")
add_library(vlm_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch/torch_pch.cc)
target_link_libraries(vlm_torch_pch PRIVATE vlm_torch vlm_warnings)
target_precompile_headers(vlm_torch_pch PRIVATE <torch/torch.h>)
target_compile_options(vlm_torch INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)

# vlm_use_torch_pch(target ...): these start with the precompiled <torch/torch.h>; their files still
# include what they use.
function(vlm_use_torch_pch)
  foreach(target ${ARGN})
    target_link_libraries(${target} PRIVATE vlm_torch)
    target_compile_options(${target} PRIVATE -fPIC)  # As the header; a program would have -fPIE.
    target_precompile_headers(${target} REUSE_FROM vlm_torch_pch)
  endforeach()
endfunction()

# vlm_torch_library(NAME name SRCS a.cc ... [DEPS ...] [PRIVATE_DEPS ...]): a library of the trainer.
function(vlm_torch_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  vlm_library(NAME ${ARG_NAME} SRCS ${ARG_SRCS} DEPS vlm_torch ${ARG_DEPS}
              PRIVATE_DEPS ${ARG_PRIVATE_DEPS})
  vlm_use_torch_pch(${ARG_NAME})
endfunction()

# vlm_torch_test(...): vlm_test with the precompiled header; arguments as there.
function(vlm_torch_test)
  cmake_parse_arguments(ARG "" "NAME" "" ${ARGN})
  vlm_test(${ARGV})
  vlm_use_torch_pch(${ARG_NAME})
endfunction()

# The CUDA plugin needs the toolkit's headers and the NCCL headers of the wheel (make deps fetches
# them where nvcc is); it is compiled and linked without a GPU.
if(NOT VLM_BUILD_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit QUIET)
  if(CUDAToolkit_FOUND AND EXISTS ${VLM_TORCH_DIR}/nvidia/nccl/include/nccl.h)
    set(VLM_WITH_CUDA ON)
    message(STATUS "CUDA plugin: on (toolkit ${CUDAToolkit_VERSION})")
  elseif(VLM_BUILD_CUDA STREQUAL "AUTO")
    set(VLM_WITH_CUDA OFF)
    message(STATUS "CUDA plugin: off (needs the CUDA toolkit and NCCL's headers)")
  else()
    message(FATAL_ERROR "VLM_BUILD_CUDA is ON, but the CUDA toolkit or "
            "${VLM_TORCH_DIR}/nvidia/nccl/include/nccl.h is missing: install the toolkit and run 'make deps'")
  endif()
endif()
