#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *total(PyObject *self, PyObject *numbers)
{
    PyObject *items = PySequence_Fast(numbers, "total takes a sequence");
    if (items == NULL)
        return NULL;
    double sum = 0;
    for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(items); at++) {
        double one = PyFloat_AsDouble(PySequence_Fast_GET_ITEM(items, at));
        if (one == -1.0 && PyErr_Occurred()) {
            Py_DECREF(items);
            return NULL;
        }
        sum += one;
    }
    Py_DECREF(items);
    return PyFloat_FromDouble(sum);
}

static PyMethodDef functions[] = {
    {"total", total, METH_O, "The sum of a sequence of numbers."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject Counter = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "fastsum._fast.Counter",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, functions};

PyMODINIT_FUNC PyInit__fast(void)
{
    if (PyType_Ready(&Counter) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Counter", (PyObject *)&Counter) < 0)
        Py_CLEAR(made);
    return made;
}
