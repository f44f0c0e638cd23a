/* The floor of every row: a program that reads its request and exits. Static, so that no loader runs. */
#include <unistd.h>

int main(void)
{
    char piece[4096];
    while (read(0, piece, sizeof piece) > 0) {
    }
    return 0;
}
