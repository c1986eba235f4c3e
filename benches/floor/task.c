/* A task whose end is seen in one order only: first its outputs close, then it ends. */
#include <unistd.h>

int main(void)
{
    close(1);
    close(2);
    return usleep(200000);
}
