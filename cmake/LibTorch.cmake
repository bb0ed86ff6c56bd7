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
