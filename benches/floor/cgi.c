/* The floor of a refused request: a CGI that answers without looking. */
#include <unistd.h>

int main(void)
{
    static const char answer[] = "Status: 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno\n";
    return write(1, answer, sizeof answer - 1) < 0;
}
