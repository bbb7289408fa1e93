# The program of tests/programs/allocations.cpp, which says what it did in allocations.txt.
./allocations 20 > allocations.txt
