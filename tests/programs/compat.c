/* A program of 32 bits without a library: opens the file that it is given, by the entry of 32-bit programs, and ends with 0
 * if it could. Compiled with -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie. */

static int call(int number, int first, int second, int third)
{
	int result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory");
	return result;
}

/* The kernel leaves the number of arguments and the arguments on the stack. */
__attribute__((naked, noreturn)) void _start(void)
{
	__asm__ volatile("mov %esp, %eax; push %eax; call begin");
}

__attribute__((noreturn, used)) void begin(int *stack)
{
	int opened = call(5, stack[2], 0, 0);
	for (;;)
		call(1, opened < 0, 0, 0);
}
