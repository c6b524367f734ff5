# What ``native.pyx`` gives to what is compiled.

cpdef double clock() noexcept

cpdef unsigned long this_thread() noexcept

cpdef size_t address(object of) noexcept

cpdef object calling_frame()

cpdef object code_of(object frame)

cpdef object globals_of(object frame)

cpdef object back_of(object frame)

cpdef int offset_of(object frame) except -2

cpdef object function_of(object bound)

cpdef object weak(object of)

cpdef object call(object function, tuple args, dict named)

cpdef bint holds(bytes data, bytes word) except -1

cpdef bytes receive(int descriptor)

cpdef long long give(int descriptor, bytes data, long long at, long long size) except -1
