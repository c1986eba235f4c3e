/* The floor of any process: starts, ends. */
int main(void) { return 0; }
